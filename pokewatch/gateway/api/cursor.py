"""Cursors: where a search goes on. Opaque to callers, bound to the search they came from."""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

from pokewatch.contract import CARD_ID_PATTERN
from pokewatch.gateway.http.problems import UNKNOWN_PAGE, ProblemError

_CHECK = 6
_CARD = re.compile(CARD_ID_PATTERN)


def cursor(after: str, search: str) -> str:
    """The cursor of the page after the card `after` in this search."""
    return urlsafe_b64encode(_check(after, search) + after.encode()).decode().rstrip("=")


def after(cursor: str, search: str) -> str:
    """The card after which the page starts. Raises ProblemError (404) for a cursor that this search did not give."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        card = raw[_CHECK:].decode("ascii")
    except (UnicodeError, binascii.Error):
        card, raw = "", b""
    if not _CARD.fullmatch(card) or raw[:_CHECK] != _check(card, search):
        raise ProblemError(UNKNOWN_PAGE, "the cursor is not one that this search gave")
    return card


def _check(after: str, search: str) -> bytes:
    return sha256(f"{search}\n{after}".encode()).digest()[:_CHECK]
