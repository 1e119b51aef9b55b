"""Single values out of a stranger's JSON: what they say, or that they say nothing usable."""

import json
import math
from datetime import UTC, date, datetime
from typing import Any


def text(value: Any) -> str | None:
    """The text without the space around it, None where there is none."""
    return value.strip() or None if isinstance(value, str) else None


def day(value: Any) -> date | None:
    """The UTC day of an ISO date or time, None where `value` is neither."""
    try:
        moment = datetime.fromisoformat(value)
        return (moment.astimezone(UTC) if moment.tzinfo else moment).date()
    except (TypeError, ValueError, OverflowError):
        return None


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
    return {"date": on, "card_id": card_id, "row": json.dumps(row), "reason": reason}
