import pytest

from pokewatch.contract import BETTER, NO_BETTER, TOO_FEW_PERIODS, Skill
from pokewatch.valuation.skill import skill_of


@pytest.mark.parametrize(
    ("scores", "skill"),
    [
        ({"beats_last_price": 1.0, "windows": 8.0}, BETTER),
        ({"beats_last_price": 1.0, "windows": 7.9}, TOO_FEW_PERIODS),
        ({"beats_last_price": 0.0, "windows": 40.0}, NO_BETTER),
        ({"beats_last_price": 0.0, "windows": 2.0}, NO_BETTER),
        ({"beats_last_price": 1.0}, TOO_FEW_PERIODS),
        ({}, TOO_FEW_PERIODS),
    ],
    ids=str,
)
def test_what_is_not_shown_is_not_claimed(scores: dict[str, float], skill: Skill) -> None:
    assert skill_of(scores) == skill
