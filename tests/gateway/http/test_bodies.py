import asyncio
from typing import Any

import msgspec
import pytest

from pokewatch.gateway.http.bodies import (
    MAX_VALUES,
    BodyReader,
    _check_values,
    decode,
    finite_float,
)
from pokewatch.gateway.http.problems import INVALID, NOT_JSON, TOO_LARGE, ProblemError


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


@pytest.mark.parametrize(
    ("length", "headers", "read"),
    [
        (b"101", {}, 3),
        (b"4194304", {}, 3),
        (b"4194305", {}, 0),
        (b"101", {b"expect": b"100-continue"}, 0),
    ],
)
def test_a_body_too_large_is_read_where_a_proxy_may_be_sending_it(
    length: bytes, headers: dict[bytes, bytes], read: int
) -> None:
    """It would find the connection closed, and not the response."""
    messages = [{"type": "http.request", "more_body": more} for more in (False, True, True)]

    async def receive() -> Any:
        return messages.pop()

    with pytest.raises(ProblemError) as caught:
        asyncio.run(
            BodyReader(100, 5.0).read_bytes({b"content-length": length, **headers}, receive)
        )
    assert caught.value.kind is TOO_LARGE
    assert len(messages) == 3 - read


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "the body is empty: send JSON"),
        (b" \n", "the body is empty: send JSON"),
        (b"\xef\xbb\xbf{}", "the body begins with a byte order mark: send UTF-8 without one"),
        ("{}".encode("utf-16"), "the body begins with a byte order mark: send UTF-8 without one"),
        (b'{"a": "\xff"}', "the body is not UTF-8 (byte 7)"),
        (b'{"a":' * 5_000, "the values of the body are nested too deeply"),
        (b'{"a": NaN}', "the body is not valid JSON: invalid character (byte 6)"),
        (b'{"a": "b', "the body is not valid JSON: it ends in the middle of a value"),
        (b'{"a": "\\uD83d"}', "the body is not valid JSON: half of a surrogate pair (byte 7)"),
    ],
    ids=["empty", "blank", "UTF-8 mark", "UTF-16", "not UTF-8", "deep", "NaN", "cut", "half"],
)
def test_a_body_that_is_not_json_is_described(body: bytes, detail: str) -> None:
    with pytest.raises(ProblemError) as raised:
        decode(msgspec.json.Decoder(dict[str, Any]).decode, body)
    assert raised.value.detail == detail
    assert raised.value.kind is NOT_JSON
