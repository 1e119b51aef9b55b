"""Counts in words."""

import pytest

from pokewatch.checks import counted


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 days"), (1, "1 day"), (2, "2 days"), (1200, "1,200 days")]
)
def test_a_count_has_its_noun_in_the_right_number(count: int, text: str) -> None:
    assert counted(count, "day") == text


def test_an_irregular_plural() -> None:
    assert [counted(count, "watch", "watches") for count in (1, 2)] == ["1 watch", "2 watches"]
