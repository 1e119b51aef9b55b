"""Page cursors: opaque to clients, and valid only for the search they came from."""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

from pokewatch.contract import CARD_ID_PATTERN
from pokewatch.gateway.http.problems import UNKNOWN_PAGE, ProblemError

_DIGEST_BYTES = 6
_CARD_ID = re.compile(CARD_ID_PATTERN)


def encode_cursor(last: str, search: str) -> str:
    """Return the cursor of the page that follows the card `last` in this search."""
    return urlsafe_b64encode(_digest(last, search) + last.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, search: str) -> str:
    """Return the last card of the previous page. Raise ProblemError (404) for any other cursor."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        last = raw[_DIGEST_BYTES:].decode("ascii")
    except (UnicodeError, binascii.Error):
        last, raw = "", b""
    if not _CARD_ID.fullmatch(last) or raw[:_DIGEST_BYTES] != _digest(last, search):
        raise ProblemError(UNKNOWN_PAGE, "the cursor does not belong to this search")
    return last


def _digest(last: str, search: str) -> bytes:
    return sha256(f"{search}\n{last}".encode()).digest()[:_DIGEST_BYTES]
