import numpy as np
import pytest

from pokewatch.valuation.models import create
from pokewatch.valuation.models.common_move import without_common_move
from pokewatch.valuation.panel import Panel
from tests.valuation.panels import panel_of


def test_the_median_of_each_day_is_subtracted() -> None:
    day = np.repeat(np.array([7, 3], dtype=np.int32), 30)
    moves = np.concatenate([np.linspace(0.1, 0.3, 30), np.full(30, -0.2)])
    found = without_common_move(moves, day)
    np.testing.assert_allclose(found, moves - np.where(day == 7, 0.2, -0.2) * 30 / 40)
    order = np.random.default_rng(0).permutation(60)
    np.testing.assert_array_equal(without_common_move(moves[order], day[order]), found[order])
    assert len(without_common_move(np.empty(0), np.empty(0, dtype=np.int32))) == 0


def market_that_moves_as_one(seed: int, days: int = 100, cards: int = 150) -> Panel:
    """Return random walks whose common daily move is larger than each card's own."""
    rng = np.random.default_rng(seed)
    common, own = rng.normal(0, 0.03, (days, 1)), rng.normal(0, 0.02, (days, cards))
    return panel_of(np.exp(rng.normal(2, 1, cards) + np.cumsum(common + own, axis=0)))


@pytest.mark.parametrize("name", ["local_level", pytest.param("boosted", marks=pytest.mark.slow)])
def test_the_course_of_the_whole_market_is_not_learnt(name: str) -> None:
    """Nothing can be forecast here; a model that learns the common moves errs far more."""
    horizon, error, last_error = 20, 0.0, 0.0
    for seed in range(4):
        panel = market_that_moves_as_one(seed)
        day = panel.days - 1 - horizon
        fair = create(name, horizon).fit(panel.up_to(day)).value(panel, day).fair
        later = panel.market[day + horizon]
        error += float(np.abs(np.log(fair / later)).sum())
        last_error += float(np.abs(np.log(panel.market[day] / later)).sum())
    assert error < 1.05 * last_error
