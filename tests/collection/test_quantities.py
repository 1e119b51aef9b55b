import pytest

from pokewatch.collection.quantities import quantity_of


@pytest.mark.parametrize(
    ("values", "copies"),
    [
        ({}, 1),
        ({"quantity": ""}, 1),
        ({"quantity": "0"}, 0),
        ({"quantity": "3x"}, 3),
        ({"quantity": "1,200"}, 1_200),
        ({"quantity": "2", "added": "1"}, 3),
        ({"quantity": "", "added": ""}, 0),
        ({"quantity": "2", "playset": "1"}, 8),
        ({"quantity": "2", "playset": ""}, 2),
        ({"quantity": "400000", "playset": "x"}, None),
        ({"quantity": "-1"}, None),
        ({"quantity": "2", "added": "some"}, None),
    ],
)
def test_the_copies_of_a_line(values: dict[str, str], copies: int | None) -> None:
    assert quantity_of(values) == copies
