"""The faults of a tool's arguments, in words: which argument, which value, and what would do."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic_core import PydanticCustomError

_MOST = 5
_SHOWN = 60

# By the types of Pydantic's errors
_EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than_equal": "a number of at most {le:,}",
    "literal_error": "{expected}",
    "list_type": "a list",
    "model_type": "an object with the fields of a line",
    "too_short": "at least {min_length:,}",
    "too_long": "at most {max_length:,}",
}
_SIZES = ("too_short", "too_long")

# The arguments of tools that have another name than the fields of the API that they become
_ARGUMENTS = {"card_id": "card", "market_price": "price", "q": "query"}
_POINTER = re.compile(r"[/?]([\w/]+)(?=: )")


def described_faults(faults: Sequence[Mapping[str, Any]]) -> str:
    """Return Pydantic's errors as `limit: got 1000, expected a number of at most 50`."""
    return "; ".join(map(_described, faults[:_MOST]))


def unknown_arguments(tool: str, given: Collection[str], known: Collection[str]) -> str | None:
    """Return which arguments a tool does not have, None if it has all that are given."""
    unknown = [repr(name[:_SHOWN]) for name in given if name not in known]
    if not unknown:
        return None
    allowed = ", ".join(known) or "none"
    return f"{tool} has no argument {', '.join(unknown[:_MOST])}: its arguments are {allowed}"


def in_arguments(detail: str) -> str:
    """Return the text of a problem with the argument in place of the pointer that it begins with.

    `/market_price: must be ...` becomes `price: must be ...`.
    """
    match = _POINTER.match(detail)
    if match is None:
        return detail
    name, *steps = match[1].split("/")
    indexed = (int(each) if each.isdecimal() else each for each in steps)
    place = [_ARGUMENTS.get(name, name), *indexed]
    return _place(place) + detail[match.end() :]


def reject_boolean(value: Any) -> Any:
    """Return a value that is to become a number. Pydantic takes true to be 1."""
    if isinstance(value, bool):
        raise PydanticCustomError("float_type", "a boolean is not a number")
    return value


def _described(fault: Mapping[str, Any]) -> str:
    where, kind = _place(fault["loc"]), fault["type"]
    if kind == "missing":
        return f"{where} is missing"
    if kind == "extra_forbidden":
        return f"{where}: there is no such field"
    expected = _EXPECTED.get(kind, "another value").format(**fault.get("ctx", {}))
    if kind in _SIZES:
        return f"{where}: got {len(fault['input']):,} items, expected {expected}"
    return f"{where}: got {_shown(fault['input'])}, expected {expected}"


def _place(steps: Sequence[str | int]) -> str:
    """Return the place of a value: `lines[0].quantity`."""
    parts = (f"[{step}]" if isinstance(step, int) else f".{step[:_SHOWN]}" for step in steps)
    return "".join(parts).removeprefix(".")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
