"""Query strings as typed models."""

from datetime import date
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec

from pokewatch.gateway.http.bodies import located
from pokewatch.gateway.http.problems import ProblemError, invalid

Query = TypeVar("Query")

MOST_FIELDS = 20


def query(model: type[Query], text: bytes) -> Query:
    """The query string as a model. Raises ProblemError (422) pointing at `?name`."""
    given: dict[str, str] = {}
    try:
        fields = parse_qsl(
            text.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError as error:
        raise invalid("?", f"the query cannot be read: {error}") from None
    for name, value in fields:
        if name in given:
            raise invalid(f"?{name[:80]}", "is given twice")
        given[name] = value
    try:
        return msgspec.convert(given, model, strict=False)
    except msgspec.ValidationError as error:
        raise _fault(str(error)) from None


def _fault(message: str) -> ProblemError:
    pointer, fault = located(message)
    return invalid(f"?{pointer[1:]}"[:80], fault)


def checked_day(text: str, pointer: str) -> str:
    """`text` if it is a calendar day as YYYY-MM-DD. Raises ProblemError (422)."""
    try:
        if len(text) == 10 and text[4] == text[7] == "-":
            date.fromisoformat(text)
            return text
    except ValueError:
        pass
    raise invalid(pointer, f"{text[:40]!r} is not a day like 2026-11-20")
