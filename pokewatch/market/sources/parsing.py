"""Single values out of untrusted JSON: what they say, or that they say nothing usable."""

import json
import math
import re
from datetime import UTC, date, datetime
from typing import Any

LONGEST_TEXT = 1_000
_LONGEST_ROW = 10_000
_LONGEST_NUMBER = 400  # digits: beyond a float's range, and below Python's limit for whole numbers
_DEEPEST = 50
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}]', re.DOTALL)


def parse_json(content: str | bytes) -> Any:
    """The value of a JSON text, in which bytes that are no UTF-8 are replaced, a whole number of
    more than 400 digits is infinite, and what is nested too deeply to be read is null.

    Raises ValueError.
    """
    plain = content if isinstance(content, str) else content.decode("utf-8", errors="replace")
    try:
        return json.loads(plain, parse_int=_whole_number)
    except RecursionError:
        return json.loads(_flattened(plain), parse_int=_whole_number)


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else float(digits)


def _flattened(plain: str) -> str:
    """The text with null for every list and object that is more than `_DEEPEST` deep."""
    kept: list[str] = []
    depth = start = 0
    for token in _TOKEN.finditer(plain):
        if token[0] in "[{":
            depth += 1
            if depth == _DEEPEST + 1:
                kept += [plain[start : token.start()], "null"]
        elif token[0] in "]}":
            depth -= 1
            if depth == _DEEPEST:
                start = token.end()
    return "".join([*kept, plain[start:]])


def text(value: Any) -> str | None:
    """The text without the space around it, None where there is none or it is too long to be one.

    Half of a surrogate pair, which no file can hold, becomes a replacement character.
    """
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        return None
    return _storable(value.strip()) or None


def is_text(value: Any) -> bool:
    """Whether `value` is text that can be kept as it is."""
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and _storable(value) == value


def _storable(value: str) -> str:
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def day(value: Any) -> date | None:
    """The UTC day of an ISO date or time, None where `value` is neither."""
    try:
        moment = datetime.fromisoformat(value)
        return (moment.astimezone(UTC) if moment.tzinfo else moment).date()
    except (TypeError, ValueError, OverflowError):
        return None


def number(value: float | None) -> float | None:
    """A price without a fault as a float."""
    return None if value is None else float(value)


def price_fault(name: str, value: Any) -> str:
    """Why `value` is not a price or the lack of one, "" if it is; whether the price makes sense is for `quality` to say."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{name} is not a number"
    try:
        return "" if math.isfinite(value) else f"{name} is not a finite number"
    except OverflowError:  # a whole number too large for a float
        return f"{name} is not a finite number"


def rejected(on: date | None, card_id: str | None, row: Any, reason: str) -> dict[str, Any]:
    """A row for REJECTED_SCHEMA."""
    return {"date": on, "card_id": card_id, "row": _row_text(row), "reason": reason}


def _row_text(row: Any) -> str:
    """The row as JSON; where that is very long, its beginning as a JSON string."""
    try:
        written = json.dumps(row)
    except (RecursionError, ValueError):
        return json.dumps("nested too deeply to be shown")
    return written if len(written) <= _LONGEST_ROW else json.dumps(written[:_LONGEST_ROW])
