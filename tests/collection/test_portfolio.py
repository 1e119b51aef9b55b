"""The interval of a collection's total covers on days that it does not come from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pokewatch.collection.portfolio import MIN_WINDOWS, error_interval, total_interval
from pokewatch.valuation.book import PriceBook, write_book
from tests.serving.books import FACTS, catalog, rows

CARDS, DAYS, HORIZON = 300, 430, 7


def book_of(folder: Path, market: np.ndarray) -> PriceBook:
    values = replace(rows(len(market), market.shape[1]), market=market, fair=market)
    values.lower[:], values.upper[:] = market * 0.8, market * 1.25
    values.status[:] = 0
    return PriceBook.open(folder, write_book(folder, catalog(len(market)), values, FACTS))


@pytest.mark.parametrize("cards", [10, 100, 300])
def test_shared_shocks_are_covered(tmp_path: Path, cards: int) -> None:
    """Cards share a factor: intervals of independent cards would cover far less than 90%."""
    rng = np.random.default_rng(5)
    shared = rng.normal(0, 0.01, (1, DAYS)).cumsum(axis=1)
    own = rng.normal(0, 0.02, (CARDS, DAYS)).cumsum(axis=1)
    market = np.round(np.exp(np.log(rng.uniform(5, 50, (CARDS, 1))) + shared + own), 2)
    past = book_of(tmp_path, market[:, :230])
    owned = np.arange(cards)
    copies = rng.integers(1, 4, cards).astype(float)
    interval = total_interval(past, owned, copies)
    assert interval is not None
    total = (market[owned] * copies[:, None]).sum(axis=0)
    ratios = total[230 + HORIZON :] / total[230:-HORIZON]
    covered = ((ratios >= interval[0]) & (ratios <= interval[1])).mean()
    assert 0.80 <= covered <= 0.99


def test_without_copies_there_is_none(tmp_path: Path) -> None:
    book = book_of(tmp_path, np.full((5, 100), 3.0))
    assert total_interval(book, np.arange(5), np.zeros(5)) is None
    assert total_interval(book, np.arange(5), np.ones(5)) == (1.0, 1.0)


def test_a_book_of_few_horizons_gives_none(tmp_path: Path) -> None:
    market = np.full((5, MIN_WINDOWS * HORIZON + 1), 3.0)
    owned, copies = np.arange(5), np.ones(5)
    assert total_interval(book_of(tmp_path / "long", market), owned, copies) is not None
    assert total_interval(book_of(tmp_path / "short", market[:, 1:]), owned, copies) is None


@pytest.mark.parametrize("windows", [4, 5, 10, 50])
@pytest.mark.parametrize("horizon", [1, 7])
def test_nine_of_ten_further_errors_are_covered(windows: int, horizon: int) -> None:
    """Also where the days overlap and only few errors are independent: then somewhat more are."""
    rng, covered = np.random.default_rng(windows), []
    for _ in range(1_000):
        steps = rng.normal(0, 0.01, windows * horizon + 3 * horizon)
        moves = np.convolve(steps, np.ones(horizon), "valid")
        lower, upper = error_interval(np.exp(moves[: windows * horizon]), horizon)
        covered.append(lower <= np.exp(moves[-1]) <= upper)
    assert 0.88 <= np.mean(covered) <= (0.98 if windows < 10 else 0.94)


def test_the_interval_is_around_the_fair_total() -> None:
    lower, upper = error_interval(np.array([1.02, 1.01, 1.03, 1.02, 0.99]), 1)
    assert lower * upper == pytest.approx(1)


def test_errors_that_follow_each_other_count_for_fewer() -> None:
    """The same errors in an order without trend give a narrower interval."""
    rng = np.random.default_rng(5)
    errors = np.repeat(rng.normal(0, 0.05, 10), 5)
    _, trended = error_interval(np.exp(errors), 1)
    _, shuffled = error_interval(np.exp(rng.permutation(errors)), 1)
    assert trended > shuffled * 1.005


def test_a_trend_that_never_ends_leaves_an_interval() -> None:
    assert error_interval(np.full(40, 1.02), 1)[1] < 1.1
    assert error_interval(np.ones(40), 1) == (1.0, 1.0)
