"""Page cursors: opaque to clients, and valid only for the search they came from."""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

from pokewatch.contract import CARD_ID_PATTERN, MARKET_PATTERN
from pokewatch.gateway.http.problems import UNKNOWN_PAGE, Fault, ProblemError

_DIGEST_BYTES = 6
_POSITION = re.compile(rf"({MARKET_PATTERN})/((?:{CARD_ID_PATTERN})?)")


def encode_cursor(market: str, last: str, search: str) -> str:
    """Return the cursor of the page that follows the card `last` of a market in this search.

    That of the first page of a market has "" for the card.
    """
    position = f"{market}/{last}"
    return urlsafe_b64encode(_digest(position, search) + position.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, search: str) -> tuple[str, str]:
    """Return the market and the last card of the previous page.

    Raise ProblemError (404) for any other cursor.
    """
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        position = raw[_DIGEST_BYTES:].decode("ascii")
    except (UnicodeError, binascii.Error):
        position, raw = "", b""
    match = _POSITION.fullmatch(position)
    if match is None or raw[:_DIGEST_BYTES] != _digest(position, search):
        raise unknown_page()
    return match[1], match[2]


def unknown_page() -> ProblemError:
    fault = Fault("?cursor", "does not belong to this search")
    return ProblemError(UNKNOWN_PAGE, f"{fault.pointer}: {fault.detail}", errors=[fault])


def _digest(position: str, search: str) -> bytes:
    return sha256(f"{search}\n{position}".encode()).digest()[:_DIGEST_BYTES]
