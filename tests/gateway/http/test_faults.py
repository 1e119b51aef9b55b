import re
from functools import partial
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from pokewatch.contract import (
    CARD_ID_PATTERN,
    CURRENCY_PATTERN,
    HISTORY_PATTERN,
    MARKET_PATTERN,
    MONTH_PATTERN,
)
from pokewatch.gateway.api.queries import parse_query
from pokewatch.gateway.http.bodies import decode
from pokewatch.gateway.http.faults import located
from pokewatch.gateway.http.problems import ProblemError


class Choice(msgspec.Struct):
    sort: Literal["up", "down"] | UnsetType = UNSET
    days: Literal[7] | None = None


class Choices(msgspec.Struct):
    rows: list[Choice]


@pytest.mark.parametrize(
    ("message", "pointer", "detail"),
    [
        ("Expected `object`, got `int`", "", "must be an object, not an integer"),
        (
            "Expected `int | null`, got `float` - at `$.a`",
            "/a",
            "must be an integer or null, not a decimal number",
        ),
        ("Expected `str` of length >= 1 - at `$.a`", "/a", "must have at least 1 character"),
        ("Expected `array` of length <= 2 - at `$.a`", "/a", "must have at most 2 items"),
        ("Expected `float` > 0.0 - at `$.a[3]`", "/a/3", "must be more than 0"),
        ("Expected `int` <= 1000 - at `$.a`", "/a", "must be at most 1000"),
        ("Invalid enum value 'x' - at `$.a`", "/a", "'x' is not an allowed value"),
        ("Object missing required field `a`", "/a", "is required"),
        ("Object contains unknown field `a` - at `$.b`", "/b/a", "is not a known field"),
        ("Object contains unknown field `a`b\n`", "/a`b\n", "is not a known field"),
        ("Expected `str` - at `$.a`", "/a", "must be a string"),
        ("Number out of range - at `$.a`", "/a", "is out of range"),
        ("Integer value out of range - at `$.a`", "/a", "is out of range"),
        ("Expected `str` matching regex '[a-z]' - at `$.a`", "/a", "must match [a-z]"),
    ],
)
def test_messages_of_msgspec_are_translated(message: str, pointer: str, detail: str) -> None:
    assert located(message) == (pointer, detail)


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ('{"rows": [{}, {"sort": "left"}]}', "/rows/1/sort", "must be 'down' or 'up', not 'left'"),
        ('{"rows": [{"days": 8}]}', "/rows/0/days", "must be 7, not 8"),
    ],
)
def test_the_allowed_values_are_listed(body: str, pointer: str, detail: str) -> None:
    with pytest.raises(ProblemError) as raised:
        decode(msgspec.json.Decoder(Choices).decode, body.encode())
    assert [(each.pointer, each.detail) for each in raised.value.errors] == [(pointer, detail)]


class Numbers(msgspec.Struct):
    price: float = 1.0
    days: Annotated[int, Meta(le=365)] = 1


@pytest.mark.parametrize("field", ["price", "days"])
@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 400], ids=["large", "small", "long"])
def test_a_number_that_is_out_of_range_is_named(field: str, number: str) -> None:
    for given, call in (
        (f'{{"{field}": {number}}}', partial(decode, msgspec.json.Decoder(Numbers).decode)),
        (f"{field}={number}", partial(parse_query, Numbers)),
    ):
        with pytest.raises(ProblemError) as raised:
            call(given.encode())
        detail = raised.value.errors[0].detail
        bound = "must be at most 365, not" if (field, number[0]) == ("days", "9") else "is out of"
        assert detail.startswith(bound)
        assert detail.endswith(f" {number[:40]}")


class Up(msgspec.Struct, tag_field="type", tag="up"):
    pace: Literal["fast", "slow"] = "slow"


class Down(msgspec.Struct, tag_field="type", tag="down"):
    price: float


class Tagged(msgspec.Struct):
    condition: Annotated[Up | Down, Meta(description="Either.")]


@pytest.mark.parametrize(
    ("condition", "pointer", "detail"),
    [
        ('{"type": "left"}', "/condition/type", "must be 'down' or 'up', not 'left'"),
        ('{"type": 5}', "/condition/type", "must be 'down' or 'up', not 5"),
        ('{"type": null}', "/condition/type", "must be 'down' or 'up', not null"),
        ('{"type": {"a": "b"}}', "/condition/type", """must be 'down' or 'up', not {"a":"b"}"""),
        ('{"type": "down", "price": "x"}', "/condition/price", "must be a number, not a string"),
        ('{"type": "down"}', "/condition/price", "is required"),
        ("{}", "/condition/type", "is required"),
        (
            '{"type": "up", "pace": "idle"}',
            "/condition/pace",
            "must be 'fast' or 'slow', not 'idle'",
        ),
    ],
)
def test_the_kinds_of_an_object_are_listed(condition: str, pointer: str, detail: str) -> None:
    with pytest.raises(ProblemError) as raised:
        decode(msgspec.json.Decoder(Tagged).decode, b'{"condition": %s}' % condition.encode())
    assert [(each.pointer, each.detail) for each in raised.value.errors] == [(pointer, detail)]


def test_a_long_value_is_cut() -> None:
    message = f"Invalid enum value '{'x' * 5_000}' - at `$.sort`"
    assert len(located(message, Choice)[1]) < 120


def test_a_card_id_is_described_in_words() -> None:
    message = rf"Expected `str` matching regex '\\A{CARD_ID_PATTERN}\\Z' - at `$.card_id`"
    assert "lower-case letters" in located(message)[1]


class Row(msgspec.Struct):
    market: Annotated[str, Meta(pattern=rf"\A{MARKET_PATTERN}\Z")] = "m"
    month: Annotated[str, Meta(pattern=rf"\A{MONTH_PATTERN}\Z")] = "2026-11"
    days: Annotated[str, Meta(pattern=rf"\A{HISTORY_PATTERN}\Z")] = ".."
    currency: Annotated[str, Meta(pattern=rf"\A{CURRENCY_PATTERN}\Z")] = "USD"
    price: Annotated[float, Meta(gt=0, le=10)] = 1.0
    copies: Annotated[float, Meta(multiple_of=1)] = 1.0
    name: Annotated[str, Meta(max_length=3)] = ""


class Rows(msgspec.Struct):
    rows: Annotated[list[Row], Meta(max_length=2)]


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        ('{"market": "X!"}', "must be the id of a market: .*, not 'X!'"),
        ('{"month": "2026-13"}', "must be a month like 2026-11, not '2026-13'"),
        ('{"days": "2026-01-01"}', "must be a range of days like .*, not '2026-01-01'"),
        ('{"currency": "usd"}', "must be a currency like USD, not 'usd'"),
        ('{"price": -0.5}', "must be more than 0, not -0.5"),
        ('{"price": 11}', "must be at most 10, not 11"),
        ('{"copies": 1.5}', "must be a whole number, not 1.5"),
        ('{"name": "four"}', "must have at most 3 characters, not 4"),
        ('{"market": "' + "X" * 5_000 + '"}', "must be the id of a market: .*, not 'X{40}'"),
    ],
)
def test_the_value_that_is_not_allowed_is_named(row: str, detail: str) -> None:
    body = b'{"rows": [{}, %s]}' % row.encode()
    with pytest.raises(ProblemError) as raised:
        decode(msgspec.json.Decoder(Rows).decode, body)
    (error,) = raised.value.errors
    assert error.pointer.startswith("/rows/1/")
    assert re.match(detail, error.detail)


def test_the_items_of_a_list_that_is_too_long_are_counted() -> None:
    with pytest.raises(ProblemError, match="must have at most 2 items, not 3"):
        decode(msgspec.json.Decoder(Rows).decode, b'{"rows": [{}, {}, {}]}')


def test_a_fault_before_a_syntax_error_is_described_without_its_value() -> None:
    with pytest.raises(ProblemError, match="must be at most 10"):
        decode(msgspec.json.Decoder(Rows).decode, b'{"rows": [{"price": 11}, }')
