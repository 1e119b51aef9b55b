"""Parsing single values of untrusted JSON."""

import json
import math
import re
from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

from pokewatch.wording import counted

LONGEST_TEXT = 1_000
_LONGEST_ROW = 10_000
_LONGEST_NUMBER = 400  # digits: beyond a float's range, and below Python's limit for whole numbers
_DEEPEST = 50
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[][{}]', re.DOTALL)  # a string may never end


def parse_json(content: str | bytes) -> Any:
    """Parse a JSON text. Raise ValueError.

    Bytes that are not UTF-8 are replaced, an integer of more than 400 digits is infinite, and
    values nested too deeply to be read are null.
    """
    plain = content if isinstance(content, str) else content.decode("utf-8-sig", errors="replace")
    try:
        return json.loads(plain, parse_int=_whole_number)
    except RecursionError:
        return json.loads(_flattened(plain), parse_int=_whole_number)


def not_json(body: str) -> str:
    """Return that `body` is not JSON, or not all of it, with its beginning or end."""
    plain = body.strip()
    if _breaks_off(plain):
        return (
            f"the answer is JSON that breaks off after {len(body):,} characters; it ends with "
            f"{' '.join(plain[-60:].split())!r}"
        )
    if not plain:
        return "the answer is empty, not JSON"
    return f"the answer is not JSON; it begins with {' '.join(body[:60].split())!r}"


def _breaks_off(text: str) -> bool:
    """Return whether a text could go on as JSON: what is wrong with it is its end."""
    if text[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text) or error.msg.startswith("Unterminated string")
    except RecursionError:  # nested too deeply to be read
        return text[-1] not in "]}"
    return False


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else float(digits)


def _flattened(plain: str) -> str:
    """Return the text with null for every list and object nested deeper than `_DEEPEST`."""
    parts: list[str] = []
    depth = start = 0
    for token in _TOKEN.finditer(plain):
        if token[0] in "[{":
            depth += 1
            if depth == _DEEPEST + 1:
                parts += [plain[start : token.start()], "null"]
        elif token[0] in "]}":
            depth -= 1
            if depth == _DEEPEST:
                start = token.end()
    return "".join([*parts, plain[start:]])


def text(value: Any) -> str | None:
    """Return the text, stripped; None if it is empty, too long or not a text.

    An unpaired surrogate, which UTF-8 cannot encode, becomes a replacement character.
    """
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        return None
    return _storable(value.strip()) or None


def product_name(value: Any, number: str | None) -> str | None:
    """Return the name of a product without its number, as in "Zekrom ex - 172/086"."""
    name = text(value)
    return name.removesuffix(f" - {number}") or name if name and number else name


def is_text(value: Any) -> bool:
    """Return whether `value` is a text that can be stored unchanged."""
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and _storable(value) == value


def _storable(value: str) -> str:
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def day(value: Any) -> date | None:
    """Return the UTC day of an ISO date or time, None if `value` is neither."""
    try:
        moment = datetime.fromisoformat(value)
        return (moment.astimezone(UTC) if moment.tzinfo else moment).date()
    except (TypeError, ValueError, OverflowError):
        return None


def number(value: float | None) -> float | None:
    """Return a valid price as a float."""
    return None if value is None else float(value)


def price_fault(name: str, value: Any) -> str:
    """Return why `value` is neither a number nor null, "" if it is. `quality` checks its range."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{name} is not a number"
    try:
        return "" if math.isfinite(value) else f"{name} is not a finite number"
    except OverflowError:  # an integer too large for a float
        return f"{name} is not a finite number"


def rejected(on: date | None, card_id: str | None, row: Any, reason: str) -> dict[str, Any]:
    """Return a row of REJECTED_SCHEMA."""
    return {"date": on, "card_id": card_id, "row": _row_text(row), "reason": reason}


def most_rejected(reasons: Counter[str]) -> str:
    """Return the number of rejected rows and the most frequent reason."""
    (reason, count), *others = reasons.most_common()
    most = f", {count:,} of them" if others else ""
    verb = "was" if reasons.total() == 1 else "were"
    return f"{counted(reasons.total(), 'row')} {verb} rejected{most}: {reason}"


def _row_text(row: Any) -> str:
    """Return the row as JSON; of very long JSON, the beginning as a JSON string."""
    try:
        written = json.dumps(row)
    except (RecursionError, ValueError):
        return json.dumps("nested too deeply to be shown")
    return written if len(written) <= _LONGEST_ROW else json.dumps(written[:_LONGEST_ROW])
