import msgspec
import pytest

from pokewatch.gateway.bodies import decode, located
from pokewatch.gateway.problems import ProblemError


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
def test_faults_are_pointed_at(body: bytes, pointer: str) -> None:
    with pytest.raises(ProblemError) as caught:
        decode(msgspec.json.Decoder(Outer).decode, body)
    assert [fault.pointer for fault in caught.value.errors] == [pointer]


def test_a_message_without_a_place_points_at_the_whole() -> None:
    assert located("Expected `object`, got `int`") == ("", "Expected `object`, got `int`")
