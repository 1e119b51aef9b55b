"""Parsing of the user-supplied attributes of a key: name, scopes, lifetime and rate."""

import re
from contextlib import suppress
from datetime import timedelta

from pokewatch.errors import KeyValueError
from pokewatch.gateway.auth.limits import Rate

KEY_ID = re.compile(r"[0-9a-f]{12}")
SCOPES = ("read", "batch", "admin")
MAX_DAYS = 36_500

_DURATION = re.compile(r"([0-9]{1,15})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_name(text: str) -> str:
    """Return the name of a key.

    Raise KeyValueError if it is empty, too long, or has characters that cannot be printed.
    """
    if not (text.isprintable() and text.strip() and len(text) <= 100):
        raise KeyValueError(f"name: got {quoted(text)}, expected 1 to 100 printable characters")
    return text


def parse_scopes(text: str) -> tuple[str, ...]:
    """Return comma-separated scopes as a tuple, in the order of SCOPES.

    Raise KeyValueError for an unknown scope, or for none at all.
    """
    given = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [scope for scope in given if scope not in SCOPES]
    if unknown or not given:
        raise KeyValueError(
            f"scopes: got {quoted(text)}, expected one or more of {','.join(SCOPES)}"
        )
    return tuple(scope for scope in SCOPES if scope in given)


def parse_duration(text: str, name: str = "expires", *, least: int = 1) -> timedelta:
    """Return a text such as `90d`, `12h` or `45s` as a time span of at least `least` seconds.

    Raise KeyValueError with the option's `name` for anything else.
    """
    match = _DURATION.fullmatch(text.strip())
    with suppress(OverflowError):
        if match is not None:
            span = timedelta(**{_UNITS[match[2]]: int(match[1])})
            if timedelta(seconds=least) <= span <= timedelta(days=MAX_DAYS):
                return span
    wanted = f"a number and a unit, such as 90d, 12h or 30m, from {least}s to {MAX_DAYS}d"
    raise KeyValueError(f"{name}: got {quoted(text)}, expected {wanted}")


def parse_rate(text: str) -> Rate | None:
    """Return a text such as `100/minute` as a rate, and `none` as None: no limit.

    Raise KeyValueError for anything else.
    """
    try:
        return None if text.strip() == "none" else Rate.parse(text)
    except ValueError as error:
        raise KeyValueError(f"rate: {error}") from None


def quoted(text: str) -> str:
    """Return `text` for an error message: quoted, escaped and truncated."""
    return repr(text if len(text) <= 60 else f"{text[:60]}...")
