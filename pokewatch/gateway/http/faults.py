"""Values that are not allowed, described from the messages of msgspec."""

import re
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import inspect

from pokewatch.contract import CARD_ID_PATTERN
from pokewatch.gateway.http.problems import ProblemError, invalid

_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_MEMBER = re.compile(r"Object (?:missing required|contains unknown) field `([^`]*)`")
_WRONG_TYPE = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_WRONG_LENGTH = re.compile(r"Expected `(str|array|object)` of length (>=|<=|==) (\d+)")
_WRONG_NUMBER = re.compile(r"Expected `(?:int|float)` (>=|<=|>|<) (\S+)")
_WRONG_TEXT = re.compile(r"Expected `str` matching regex '(.*)'", re.DOTALL)
_WRONG_CHOICE = re.compile(r"Invalid enum value (.*)", re.DOTALL)
_TYPES = {
    "int": "an integer",
    "float": "a number",
    "str": "a string",
    "bool": "a boolean",
    "array": "an array",
    "object": "an object",
}
_UNITS = {"str": "characters", "array": "items", "object": "members"}
_BOUNDS = {">=": "at least", "<=": "at most", "==": "exactly", ">": "more than", "<": "less than"}
_CARD_ID = (
    "must be the id or slug of a card: 1 to 80 lower-case letters, digits, hyphens and underscores"
)


def fault(error: msgspec.ValidationError, decoder: Any = None) -> ProblemError:
    """Return the problem (422) for a value that its model does not allow.

    `decoder` is the one that raised the error, if there is one.
    """
    return invalid(*located(str(error), getattr(decoder, "type", None)))


def located(message: str, model: Any = None) -> tuple[str, str]:
    """Return the JSON pointer and the description of an error message from msgspec.

    "Expected `str`, got `int` - at `$.cards[3].date`" gives "/cards/3/date" and "must be a string,
    not an integer". `model` is the one that was decoded: it has the values that are allowed.
    """
    detail, found, path = message.replace(" - at `key` in `$", " - at `$").rpartition(" - at `$")
    if not found:
        detail, path = message, ""
    steps = [name or index for name, index in _STEP.findall(path.removesuffix("`"))]
    member = _MEMBER.match(detail)
    if member is not None:
        steps.append(member[1][:80])
        detail = "is required" if "missing" in detail else "is not a known field"
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    if match := _WRONG_CHOICE.fullmatch(detail):
        allowed = () if model is None else choices(model, tuple(steps))
        return pointer, _choice(match[1][:60], allowed)
    return pointer, _described(detail)


def _choice(given: str, allowed: tuple[str, ...]) -> str:
    if not allowed:
        return f"{given} is not an allowed value"
    *others, last = allowed
    return f"must be {', '.join(others)} or {last}, not {given}" if others else f"must be {last}"


@lru_cache(maxsize=256)
def choices(model: Any, steps: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values that a model allows at a path, () if it does not list them."""
    found = inspect.type_info(model)
    for step in steps:
        found = _member(_plain(found), step)
    found = _plain(found)
    values = found.values if isinstance(found, inspect.LiteralType) else ()
    return tuple(repr(value) for value in values if value != "")


def _member(found: Any, step: str) -> Any:
    if isinstance(found, inspect.StructType):
        named = [field.type for field in found.fields if field.encode_name == step]
        return named[0] if named else None
    return found.item_type if isinstance(found, inspect.ListType) else None


def _plain(found: Any) -> Any:
    """Return a type without its metadata, and without being unset or null."""
    while isinstance(found, inspect.Metadata | inspect.UnionType):
        if isinstance(found, inspect.Metadata):
            found = found.type
        else:
            lists = [_plain(each) for each in found.types]
            found = next((each for each in lists if isinstance(each, inspect.LiteralType)), None)
    return found


def _described(detail: str) -> str:
    """Return what a value must be, from what msgspec reports about it."""
    if match := _WRONG_TYPE.fullmatch(detail):
        allowed = [_TYPES.get(name, name) for name in match[1].split(" | ")]
        given = "a decimal number" if match[2] == "float" else _TYPES.get(match[2], match[2])
        return f"must be {' or '.join(allowed)}, not {given}"
    if match := _WRONG_LENGTH.fullmatch(detail):
        units = _UNITS[match[1]].removesuffix("s" if match[3] == "1" else "")
        return f"must have {_BOUNDS[match[2]]} {match[3]} {units}"
    if match := _WRONG_NUMBER.fullmatch(detail):
        return f"must be {_BOUNDS[match[1]]} {match[2].removesuffix('.0')}"
    if match := _WRONG_TEXT.fullmatch(detail):
        return _CARD_ID if CARD_ID_PATTERN in match[1] else f"must match {match[1]}"
    if detail.endswith("that's a multiple of 1.0"):
        return "must be a whole number"
    return "is out of range" if detail == "Number out of range" else detail
