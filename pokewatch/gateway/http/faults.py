"""Values that are not allowed, described from the messages of msgspec."""

import re
from collections.abc import Sequence
from functools import lru_cache
from math import isfinite
from typing import Any

import msgspec
from msgspec import inspect

from pokewatch.contract import (
    CARD_ID_PATTERN,
    CURRENCY_PATTERN,
    HISTORY_PATTERN,
    MARKET_PATTERN,
    MONTH_PATTERN,
)
from pokewatch.gateway.http.problems import ProblemError, invalid

_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_MEMBER = re.compile(r"Object (?:missing required|contains unknown) field `(.*)`", re.DOTALL)
_WRONG_TYPE = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_WRONG_LENGTH = re.compile(r"Expected `(str|array|object)` of length (>=|<=|==) (\d+)")
_WRONG_NUMBER = re.compile(r"Expected `(?:int|float)` (>=|<=|>|<) (\S+)")
_WRONG_TEXT = re.compile(r"Expected `str` matching regex '(.*)'", re.DOTALL)
_WRONG_CHOICE = re.compile(r"Invalid (?:enum )?value (.*)", re.DOTALL)
_WRONG_TAG = "Expected `str`"  # of an object that a member tells from others
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
_TEXTS = {
    CARD_ID_PATTERN: "must be the id or slug of a card: 1 to 80 lower-case letters, digits, "
    "hyphens and underscores",
    MARKET_PATTERN: "must be the id of a market: up to 60 lower-case letters, digits and hyphens",
    MONTH_PATTERN: "must be a month like 2026-11",
    HISTORY_PATTERN: "must be a range of days like 2026-01-01..2026-01-31",
    CURRENCY_PATTERN: "must be a currency like USD",
}
_OUT_OF_RANGE = ("Number out of range", "Integer value out of range")
_NOT_GIVEN: Any = object()
_SHOWN = 40  # characters of a text


def fault_in(body: bytes, error: msgspec.ValidationError, decoder: Any) -> ProblemError:
    """Return the problem (422) for a value in a JSON body that its model does not allow.

    `decoder` is the one that raised the error.
    """
    try:
        given = msgspec.json.Decoder(Any, float_hook=_number).decode(body)
    except (ValueError, RecursionError):  # the error came before what cannot be decoded
        given = _NOT_GIVEN
    return invalid(*located(str(error), getattr(decoder, "type", None), given))


def _number(text: str) -> float | str:
    """Return a number, as its text if no float64 is as large."""
    number = float(text)
    return number if isfinite(number) else text


def located(message: str, model: Any = None, given: Any = _NOT_GIVEN) -> tuple[str, str]:
    """Return the JSON pointer and the description of an error message from msgspec.

    "Expected `str`, got `int` - at `$.cards[3].date`" gives "/cards/3/date" and "must be a string,
    not an integer". `model` is the one that was decoded: it has the values that are allowed.
    `given` is what was to become one: it has the value that is not.
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
    value = _value_at(given, steps)
    match = _WRONG_CHOICE.fullmatch(detail)
    if match is None and detail != _WRONG_TAG:
        return pointer, _described(detail, value)
    allowed = () if model is None else choices(model, tuple(steps))
    if match is not None:
        return pointer, _choice(match[1][:60], allowed)
    return pointer, _wanted(allowed or ("a string",)) + _but(_json(value))


def _choice(given: str, allowed: tuple[str, ...]) -> str:
    if not allowed:
        return f"{given} is not an allowed value"
    return _wanted(allowed) + _but(given)


def _wanted(allowed: tuple[str, ...]) -> str:
    *others, last = allowed
    return f"must be {', '.join(others)} or {last}" if others else f"must be {last}"


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
    if isinstance(found, inspect.UnionType):
        structs = [each for each in found.types if isinstance(each, inspect.StructType)]
        if step in {each.tag_field for each in structs}:
            return inspect.LiteralType(tuple(sorted(str(each.tag) for each in structs)))
        members = (_member(each, step) for each in structs)
        return next((each for each in members if each is not None), None)
    if isinstance(found, inspect.StructType):
        named = [field.type for field in found.fields if field.encode_name == step]
        return named[0] if named else None
    return found.item_type if isinstance(found, inspect.ListType) else None


def _plain(found: Any) -> Any:
    """Return a type without its metadata, and without being unset or null.

    A union of structs, which a tag tells apart, is returned as it is.
    """
    while isinstance(found, inspect.Metadata | inspect.UnionType):
        if isinstance(found, inspect.UnionType) and _is_tagged(found):
            return found
        if isinstance(found, inspect.Metadata):
            found = found.type
        else:
            lists = [_plain(each) for each in found.types]
            found = next((each for each in lists if isinstance(each, inspect.LiteralType)), None)
    return found


def _value_at(given: Any, steps: Sequence[str]) -> Any:
    """Return the value at a path, _NOT_GIVEN if there is none."""
    for step in steps:
        if isinstance(given, list) and step.isdecimal() and int(step) < len(given):
            given = given[int(step)]
        elif isinstance(given, dict):
            given = given.get(step, _NOT_GIVEN)
        else:
            return _NOT_GIVEN
    return given


def _is_tagged(union: inspect.UnionType) -> bool:
    return all(isinstance(each, inspect.StructType) and each.tag_field for each in union.types)


def _described(detail: str, value: Any) -> str:
    """Return what a value must be, from what msgspec reports about it."""
    if match := _WRONG_TYPE.fullmatch(detail):
        allowed = [_TYPES.get(name, name) for name in match[1].split(" | ")]
        given = "a decimal number" if match[2] == "float" else _TYPES.get(match[2], match[2])
        return f"must be {' or '.join(allowed)}, not {given}"
    if match := _WRONG_LENGTH.fullmatch(detail):
        units = _UNITS[match[1]].removesuffix("s" if match[3] == "1" else "")
        length = len(value) if isinstance(value, str | list | dict) else _NOT_GIVEN
        return f"must have {_BOUNDS[match[2]]} {match[3]} {units}" + _but(length)
    if match := _WRONG_NUMBER.fullmatch(detail):
        return f"must be {_BOUNDS[match[1]]} {match[2].removesuffix('.0')}" + _but(_shown(value))
    if match := _WRONG_TEXT.fullmatch(detail):
        known = [text for pattern, text in _TEXTS.items() if repr(pattern)[1:-1] in match[1]]
        shown = repr(value[:_SHOWN]) if isinstance(value, str) else value
        return (known[0] if known else f"must match {match[1]}") + _but(shown)
    if detail.endswith("that's a multiple of 1.0"):
        return "must be a whole number" + _but(_shown(value))
    if detail in _OUT_OF_RANGE:
        return "is out of range" + ("" if value is _NOT_GIVEN else f": {_shown(value)}")
    return detail


def _shown(number: Any) -> Any:
    """Return a number, or the text of one, at a length that can be read."""
    return number if number is _NOT_GIVEN else str(number)[:_SHOWN]


def _json(value: Any) -> Any:
    """Return a value as JSON, at a length that can be read."""
    if value is _NOT_GIVEN:
        return value
    return msgspec.json.encode(value).decode(errors="replace")[:_SHOWN]


def _but(value: Any) -> str:
    return "" if value is _NOT_GIVEN else f", not {value}"
