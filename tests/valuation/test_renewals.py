"""How often quotes are renewed."""

import numpy as np
import pytest

from pokewatch.valuation.features import COLUMN, stream_features
from pokewatch.valuation.renewals import Renewals
from tests.valuation.panels import panel_of


def test_the_odds_mean_the_same_after_a_short_and_a_long_history() -> None:
    """The first quote renews nothing, and a card that was never renewed may just be new."""
    days = np.arange(40)
    panel = panel_of(
        np.stack([10.0 + days // 5, np.full(40, 7.0), np.where(days < 30, np.nan, 3.0)], axis=1)
    )
    short, long = (
        found.values[:, COLUMN["renewal_odds"]] for found in stream_features(panel, (10, 39))
    )
    assert short[0] == pytest.approx(np.log(2.5 / 13))  # renewed on 2 of 10 days
    assert long[0] == pytest.approx(np.log(5.5 / 28))  # on 5 of the last 28
    assert short[1] == pytest.approx(np.log(0.5 / 15))
    assert long[1] == pytest.approx(np.log(0.5 / 33))
    assert long[2] == pytest.approx(np.log(0.5 / 14)), "nine days of a new card"


def test_fresh_quotes_that_are_taken_back_count_for_nothing() -> None:
    renewals = Renewals(2, 28)
    for day in range(4):
        quoted = np.ones(2, dtype=np.bool_)
        renewals.advance(quoted, quoted.copy(), quoted & (day > 0))
    renewals.undo(1, 2)
    np.testing.assert_allclose(renewals.fresh_share(), [1.0, 0.5])
    np.testing.assert_allclose(renewals.odds(), np.log([3.5 / 5, 1.5 / 7]))


def test_shares_are_those_of_the_window_however_many_days_came_before() -> None:
    rng = np.random.default_rng(3)
    renewals, fresh = Renewals(5, 4), rng.random((11, 5)) < 0.5
    for day in fresh:
        renewals.advance(np.ones(5, dtype=np.bool_), day.copy(), day.copy())
    renewals.undo(2, 2)
    fresh[-2:, 2] = False
    np.testing.assert_allclose(renewals.fresh_share(), fresh[-4:].mean(axis=0))
    renewed = fresh[-4:].sum(axis=0)
    np.testing.assert_allclose(renewals.odds(), np.log((renewed + 0.5) / (4 - renewed + 5.0)))
