from typing import get_args

import pytest
from pydantic import ValidationError
from pydantic_core.core_schema import ErrorType

from pokewatch.gateway.mcp.arguments import (
    _EXPECTED,
    described_faults,
    in_arguments,
    unknown_arguments,
)
from pokewatch.gateway.mcp.tools import CopiesOfCard


def faults(**fields: object) -> str:
    with pytest.raises(ValidationError) as caught:
        CopiesOfCard.model_validate(fields)
    return described_faults(caught.value.errors())


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"name": 5}, "name: got 5, expected a text"),
        ({"name": None}, "name: got null, expected a text"),
        ({"name": ["x" * 99]}, f'name: got ["{"x" * 58}..., expected a text'),
        ({"quantity": 1.5}, "quantity: got 1.5, expected a whole number"),
        ({"quantity": True}, "quantity: got true, expected a number"),
        ({"quantity": -1}, "quantity: got -1, expected a number of at least 0"),
        ({"quantity": 10**7}, "quantity: got 10000000, expected a number of at most 1,000,000"),
        ({"nome": "x", "name": 1}, "name: got 1, expected a text; nome: there is no such field"),
    ],
)
def test_a_fault_is_named_with_its_value(fields: dict[str, object], text: str) -> None:
    assert faults(**fields) == text


def test_only_the_first_faults_are_named() -> None:
    assert faults(**{f"x{number}": 1 for number in range(50)}).count(";") == 4


def test_the_types_of_errors_are_those_of_pydantic() -> None:
    assert _EXPECTED.keys() <= set(get_args(ErrorType))


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        ("/market_price: must be at most 10, not 11", "price: must be at most 10, not 11"),
        ("?q: must be short", "query: must be short"),
        ("/lines/3/name: is long: 5", "lines[3].name: is long: 5"),
        ("/lines/\u00b2/name: is long", "lines.\u00b2.name: is long"),
        ("no card has the id 'a'", "no card has the id 'a'"),
    ],
)
def test_the_problems_of_the_api_name_the_argument(detail: str, text: str) -> None:
    assert in_arguments(detail) == text


def test_unknown_arguments() -> None:
    assert unknown_arguments("tool", {"a": 1}, ["a", "b"]) is None
    found = unknown_arguments("tool", {"a": 1, "c": 2}, ["a", "b"])
    assert found == "tool has no argument 'c': its arguments are a, b"
