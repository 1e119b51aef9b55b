import numpy as np
import pytest

from pokewatch.valuation.backtest.results import curve, summary
from pokewatch.valuation.backtest.trades import Outcomes


def outcomes(*gains: float, cost: float = 10.0) -> Outcomes:
    count = len(gains)
    days, marks = np.arange(count), np.ones(count, dtype=bool)
    cost_each, gain = np.full(count, cost), np.array(gains)
    return Outcomes(days, days, days + 1, days + 4, cost_each, gain, marks, ~marks, marks)


def test_one_trade_that_makes_the_mean_is_seen() -> None:
    found = summary(outcomes(100.0, -1.0, -1.0, -1.0, 1.0))
    assert found.mean_net == pytest.approx(1.96)
    assert found.median_net == -0.1
    assert found.mean_gain == pytest.approx(19.6)
    assert (found.median_gain, found.total_gain) == (-1, 98)
    assert found.best_share == pytest.approx(100 / 101)
    assert found.best_three_share == 1.0
    assert found.hit_rate == 0.4


def test_without_a_profit_there_is_no_share_of_it() -> None:
    found = summary(outcomes(-1.0, -2.0))
    assert np.isnan(found.best_share)
    assert found.total_gain == -3.0


def test_no_trades() -> None:
    found = summary(outcomes())
    assert (found.trades, found.total_cost, found.total_gain) == (0, 0.0, 0.0)
    assert np.isnan(found.median_gain)
    assert curve(outcomes(), np.array([]), 3).equity == (1.0, 1.0, 1.0)
