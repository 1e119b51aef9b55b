import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pokewatch.valuation.recent_quotes import RecentQuotes

DAYS = 4


def history(seed: int, days: int, cards: int) -> NDArray[np.float64]:
    """Return log prices [days, cards]; some cards have their first quote later, or never."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(days, cards)).cumsum(axis=0)
    first = rng.integers(0, days + 1, cards)
    found[np.arange(days)[:, None] < first] = np.nan
    return found


def recent(lasts: NDArray[np.float64]) -> RecentQuotes:
    found = RecentQuotes(lasts.shape[1], DAYS)
    for last in lasts:
        found.append(last.copy())
    return found


def assert_equal(found: RecentQuotes, lasts: NDArray[np.float64]) -> None:
    """Compare with what NumPy says of the window, column by column."""
    for days in (1, 2, 3):
        assert_columns(found.before(days), lasts[max(len(lasts) - 1 - days, 0)])
        window = lasts[-days:]
        assert_columns(found.mean_price(days), [_mean(np.exp(card)) for card in window.T])
        assert_columns(found.median(days), [_median(card) for card in window.T])
    if len(lasts) == 1:
        assert not found.volatility().any()
        return
    moves = np.abs(np.diff(lasts[-DAYS - 1 :], axis=0))
    assert_columns(found.volatility(), [_mean(card) for card in moves.T])


def assert_columns(found: NDArray[np.float64], expected: object) -> None:
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-12)


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else np.nan


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 6))
def test_means_medians_and_moves_are_those_of_the_days(seed: int, days: int, cards: int) -> None:
    lasts = history(seed, days, cards)
    assert_equal(recent(lasts), lasts)


@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(1, 9))
def test_quotes_taken_back_leave_what_was_never_quoted(seed: int, days: int, back: int) -> None:
    lasts = history(seed, days, 3)
    lasts[:, 1] = np.arange(days)
    found, undone = recent(lasts), min(back, days - 1)
    before = lasts[-1 - undone, 1]
    found.undo(1, undone, before)
    lasts[len(lasts) - undone :, 1] = before
    assert_equal(found, lasts)
    found.append(np.array([1.0, 2.0, 3.0]))
    assert_equal(found, np.vstack((lasts, [1.0, 2.0, 3.0])))


def test_more_days_may_be_taken_back_than_are_held() -> None:
    found = recent(np.arange(9.0)[:, None])
    found.undo(0, 7, 1.0)
    assert found.before(DAYS)[0] == 1.0
    assert found.volatility()[0] == pytest.approx(0.0)
