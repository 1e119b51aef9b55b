"""What a key may be called, do and last, as people write it."""

import re
from contextlib import suppress
from datetime import timedelta

from pokewatch.errors import KeyStoreError
from pokewatch.gateway.auth.limits import Rate

SCOPES = ("read", "batch", "admin")
MOST_DAYS = 36_500

_DURATION = re.compile(r"([0-9]{1,15})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_name(text: str) -> str:
    """Return the name of a key.

    Raise KeyStoreError for control or invisible characters, and for bytes that are not UTF-8.
    """
    if not (text.isprintable() and text.strip() and len(text) <= 100):
        raise KeyStoreError(f"name: got {shown(text)}, expected 1 to 100 printable characters")
    return text


def parse_scopes(text: str) -> tuple[str, ...]:
    """Return `read,batch` as a tuple, in the order of SCOPES. Raise KeyStoreError otherwise."""
    asked = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [scope for scope in asked if scope not in SCOPES]
    if unknown or not asked:
        raise KeyStoreError(f"scopes: got {shown(text)}, expected some of {','.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in asked)


def parse_duration(text: str, name: str = "expires", *, least: int = 1) -> timedelta:
    """Return `90d`, `12h`, `30m`, `2w` or `45s` as a time span of `least` seconds or more.

    Raise KeyStoreError otherwise, with the option's `name`.
    """
    match = _DURATION.fullmatch(text.strip())
    with suppress(OverflowError):
        if match is not None:
            span = timedelta(**{_UNITS[match[2]]: int(match[1])})
            if timedelta(seconds=least) <= span <= timedelta(days=MOST_DAYS):
                return span
    wanted = f"a number and a unit, like 90d, 12h or 30m, from {least}s to {MOST_DAYS}d"
    raise KeyStoreError(f"{name}: got {shown(text)}, expected {wanted}")


def parse_rate(text: str) -> Rate | None:
    """Return `100/minute` as a rate, `none` as no limit. Raise KeyStoreError otherwise."""
    try:
        return None if text.strip() == "none" else Rate.parse(text)
    except ValueError as error:
        raise KeyStoreError(f"rate: {error}") from None


def shown(text: str) -> str:
    """Return `text` for a message: quoted, escaped, not long."""
    return repr(text if len(text) <= 60 else f"{text[:60]}...")
