from typing import Literal

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from pokewatch.contract import CARD_ID_PATTERN
from pokewatch.gateway.http.faults import fault, located


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
        ("Number out of range - at `$.a`", "/a", "is out of range"),
        ("Expected `str` matching regex '[a-z]' - at `$.a`", "/a", "must match [a-z]"),
    ],
)
def test_messages_of_msgspec_are_translated(message: str, pointer: str, detail: str) -> None:
    assert located(message) == (pointer, detail)


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ('{"rows": [{}, {"sort": "left"}]}', "/rows/1/sort", "must be 'down' or 'up', not 'left'"),
        ('{"rows": [{"days": 8}]}', "/rows/0/days", "must be 7"),
    ],
)
def test_the_allowed_values_are_listed(body: str, pointer: str, detail: str) -> None:
    decoder = msgspec.json.Decoder(Choices)
    with pytest.raises(msgspec.ValidationError) as raised:
        decoder.decode(body)
    problem = fault(raised.value, decoder)
    assert [(each.pointer, each.detail) for each in problem.errors] == [(pointer, detail)]


def test_a_long_value_is_cut() -> None:
    message = f"Invalid enum value '{'x' * 5_000}' - at `$.sort`"
    assert len(located(message, Choice)[1]) < 120


def test_a_card_id_is_described_in_words() -> None:
    message = rf"Expected `str` matching regex '\\A{CARD_ID_PATTERN}\\Z' - at `$.card_id`"
    assert "lower-case letters" in located(message)[1]
