from typing import Any

import msgspec
import pytest

from pokewatch.gateway.http.bodies import MAX_VALUES, _check_values, decode, finite_float, located
from pokewatch.gateway.http.problems import INVALID, TOO_LARGE, ProblemError


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    price: float = 1.0


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    rows: list[Inner]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"[]", ""),
        (b"{}", "/rows"),
        (b'{"rows": 1}', "/rows"),
        (b'{"rows": [{}, {"price": "x"}]}', "/rows/1/price"),
        (b'{"rows": [{}, {"a/b~c": 1}]}', "/rows/1/a~1b~0c"),
    ],
)
def test_errors_have_a_pointer(body: bytes, pointer: str) -> None:
    with pytest.raises(ProblemError) as caught:
        decode(msgspec.json.Decoder(Outer).decode, body)
    assert [fault.pointer for fault in caught.value.errors] == [pointer]


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
        (r"Expected `str` matching regex '\\A[a-z]\\Z' - at `$.a`", "/a", "must match ^[a-z]$"),
    ],
)
def test_messages_of_msgspec_are_translated(message: str, pointer: str, detail: str) -> None:
    assert located(message) == (pointer, detail)


def test_the_number_of_values_is_limited_before_decoding() -> None:
    body = b'{"outputs":[%s]}' % b",".join([b'{"name":"status"}'] * 8_001)
    with pytest.raises(ProblemError, match="16000 values") as caught:
        _check_values(body, MAX_VALUES)
    assert caught.value.kind is TOO_LARGE
    _check_values(body.replace(b',{"name":"status"}', b"", 2), MAX_VALUES)


@pytest.mark.parametrize("text", ["1.7976931348623157e308", "5e-324", "-0.0", "1e-400", "0.1"])
def test_numbers_are_decoded_exactly(text: str) -> None:
    decoded: object = msgspec.json.Decoder(Any, float_hook=finite_float).decode(text)
    assert decoded == float(text)


def test_infinite_numbers_are_rejected() -> None:
    with pytest.raises(ProblemError) as caught:
        decode(msgspec.json.Decoder(Any, float_hook=finite_float).decode, b'{"rows":[1e999]}')
    assert caught.value.kind is INVALID
