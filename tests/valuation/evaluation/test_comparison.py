from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import ArrayLike

from pokewatch.valuation.evaluation.comparison import CardErrors
from pokewatch.valuation.evaluation.scores import terms
from tests.valuation.evaluation.test_scores import some_forecasts


def errors_of(error: ArrayLike, error_last: ArrayLike = 1.0) -> CardErrors:
    """Return the errors in a table [origins, cards]."""
    table = np.asarray(error, dtype=np.float32)
    origin, card = np.indices(table.shape)
    last = np.broadcast_to(np.asarray(error_last, dtype=np.float32), table.shape)
    return CardErrors(
        origin.ravel().astype(np.int16), card.ravel().astype(np.int32), table.ravel(), last.ravel()
    )


def weekly(origins: int) -> list[date]:
    return [date(2026, 1, 1) + timedelta(days=7 * number) for number in range(origins)]


def test_errors_are_those_of_the_forecasts_and_unknown_where_none_was_made() -> None:
    rows = some_forecasts()
    fair = np.where(np.arange(400) < 100, np.nan, rows.fair)
    rows = replace(rows, fair=fair, lower=fair, upper=fair)
    found = CardErrors.of(rows, terms(rows))
    assert np.isnan(found.error[:100]).all()
    np.testing.assert_allclose(
        found.error[100:], np.abs(np.log(fair / rows.truth))[100:], rtol=1e-5, atol=1e-7
    )
    np.testing.assert_allclose(
        found.error_last[100:], np.abs(np.log(rows.last / rows.truth))[100:], rtol=1e-5, atol=1e-7
    )


def test_a_paired_difference_sees_what_single_intervals_hide() -> None:
    hard = np.random.default_rng(0).uniform(0.5, 2.0, (16, 50))
    noise = np.random.default_rng(1).normal(0, 0.01, (16, 50))
    found = errors_of(hard).excess(errors_of(hard + 0.01 + noise), weekly(16), 7)
    assert found is not None
    assert found.value == pytest.approx(0.01, abs=0.002)
    assert 0.005 < found.low < found.high < 0.015


def test_an_error_that_is_one_cards_or_one_days_is_no_difference() -> None:
    one = np.ones((12, 40))
    for odd in ((slice(None), 3), (5, slice(None))):
        other = one.copy()
        other[odd] += 1.0
        found = errors_of(one).excess(errors_of(other), weekly(12), 7)
        assert found is not None
        assert found.value > 0.02
        assert found.low < 0


def test_only_card_days_that_both_valued_count() -> None:
    one, other = np.full((4, 10), 1.0), np.full((4, 10), 1.5)
    one[:, :5], other[2:] = np.nan, np.nan
    found = errors_of(one).excess(errors_of(other, 2.0), weekly(4), 7)
    assert found is not None
    assert found.value == 0.5
    assert errors_of(one * np.nan).excess(errors_of(other), weekly(4), 7) is None


def test_origins_can_be_left_out() -> None:
    other = np.ones((12, 10))
    other[:4] = 9.0
    used = np.arange(12) >= 4
    found = errors_of(np.ones((12, 10))).excess(errors_of(other), weekly(12), 7, used)
    assert found is not None
    assert (found.value, found.low, found.high, found.windows) == (0.0, 0.0, 0.0, 8.0)
    assert errors_of(other).excess(errors_of(other), weekly(12), 7, used & False) is None


def test_where_the_last_price_has_no_error_a_difference_is_unknown() -> None:
    still, wrong = errors_of(np.zeros((3, 5)), 0.0), errors_of(np.ones((3, 5)), 0.0)
    assert still.excess(wrong, weekly(3), 7) is None
    equal = still.excess(still, weekly(3), 7)
    assert equal is not None
    assert (equal.value, equal.high) == (0.0, 0.0)


def test_models_swapped_at_random_per_card_are_told_apart_in_5_of_100() -> None:
    """Equal models: the better of two on each card is either, and stays so on all dates."""
    rng = np.random.default_rng(5)
    hard = rng.lognormal(0, 0.6, 400) * rng.lognormal(0, 0.3, (14, 400))
    better = hard * rng.uniform(0.6, 1.0, 400)
    told_apart = 0
    for _ in range(300):
        swapped = rng.random(400) < 0.5
        pair = np.where(swapped, better, hard), np.where(swapped, hard, better)
        found = errors_of(pair[0]).excess(errors_of(pair[1]), weekly(14), 30)
        assert found is not None
        told_apart += not found.low <= 0 <= found.high
    assert told_apart / 300 <= 0.07
