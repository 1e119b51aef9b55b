"""Errors clustered by card and by date, against direct sums and on simulated scores."""

from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from pokewatch.valuation.evaluation.origins import origin_days
from pokewatch.valuation.evaluation.two_way import Clusters, Estimate, holm, windows_of

Array = NDArray[np.float64]
FIRST = date(2026, 1, 1)


def every(days: int, count: int) -> list[date]:
    return [FIRST + timedelta(days=days * number) for number in range(count)]


def grid(origins: int, cards: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the origin and card of the cells of a table, in its order."""
    origin, card = np.indices((origins, cards))
    return origin.ravel(), card.ravel()


def test_the_variances_are_those_of_the_formulas() -> None:
    rng = np.random.default_rng(0)
    present = rng.random((5, 8)) < 0.7
    days = [FIRST + timedelta(days=day) for day in (0, 2, 3, 9, 11)]
    a, b = (rng.exponential(size=(5, 8)) * present for _ in range(2))
    origin, card = (each[present.ravel()] for each in grid(5, 8))
    found = Clusters(origin, card, days, horizon=4).ratio(a[present], b[present])
    assert found is not None
    assert found.value == pytest.approx(a.sum() / b.sum())
    u = (a - found.value * b) / b.sum()
    kernel = [[max(0.0, 1 - abs((s - t).days) / 4) for s in days] for t in days]
    by_card = sum(u[:, i].sum() ** 2 for i in range(8))
    by_date = u.sum(axis=1) @ kernel @ u.sum(axis=1)
    both = sum(u[:, i] @ kernel @ u[:, i] for i in range(8))
    assert found.windows == pytest.approx((2 + 1 + 4 + 2 + 4) / 4)
    assert found.card_variance == pytest.approx(by_card)
    assert found.date_variance == pytest.approx(max(by_date - both, 0.0))
    t = stats.t.ppf(0.975, found.windows - 1)
    width = np.sqrt(stats.norm.ppf(0.975) ** 2 * by_card + t**2 * found.date_variance)
    assert (found.low, found.high) == pytest.approx((found.value - width, found.value + width))


def test_a_card_gives_the_same_whatever_its_number() -> None:
    rng = np.random.default_rng(1)
    origin, card = grid(6, 40)
    above, below = rng.exponential(size=(2, 240))
    order = rng.permutation(40)
    one = Clusters(origin, card, every(2, 6), 7)
    other = Clusters(origin, order[card] * 1000, every(2, 6), 7)
    chosen = rng.random(240) < 0.5
    found, same = (each.select(chosen).ratio(above[chosen], below[chosen]) for each in (one, other))
    assert found is not None
    assert same is not None
    assert found.card_variance == pytest.approx(same.card_variance)
    assert found.date_variance == pytest.approx(same.date_variance)


def test_nothing_below_the_line_gives_no_ratio() -> None:
    origin, card = grid(2, 3)
    assert Clusters(origin, card, every(1, 2), 1).ratio(np.ones(6), np.zeros(6)) is None


@pytest.mark.parametrize(
    ("days", "horizon", "windows"),
    [((), 7, 0.0), ((0,), 7, 1.0), ((0, 7, 14, 21), 7, 4.0), ((0, 1, 3), 30, 1.1)],
)
def test_windows_are_counted_in_horizons(
    days: tuple[int, ...], horizon: int, windows: float
) -> None:
    dates = [FIRST + timedelta(days=day) for day in days]
    assert windows_of(dates, horizon) == pytest.approx(windows)


def test_days_without_forecasts_are_no_periods() -> None:
    days = [FIRST + timedelta(days=day) for day in (0, 7, 14, 112, 119)]
    assert windows_of(days, 7) == 5.0
    quoted = np.array([0, 0, 4, 4])
    assert Clusters(quoted, np.array([0, 1, 0, 1]), days, 7).windows == 2.0


def test_the_errors_of_a_single_card_do_not_tell_how_much_they_vary() -> None:
    rng = np.random.default_rng(2)
    origin, card = grid(12, 3)
    above, below = rng.exponential(size=(2, 36))
    above[card != 1] = below[card != 1] = 0.0
    found = Clusters(origin, card, every(7, 12), 7).ratio(above, below)
    assert found is not None
    assert found.value == pytest.approx(above.sum() / below.sum())
    assert (found.low, found.high) == (-np.inf, np.inf)
    assert found.p_value() == 1.0


@pytest.mark.parametrize("value", [0.02, -0.02, 0.5, 1e-5])
@pytest.mark.parametrize("windows", [1.0, 2.6, 40.0])
def test_the_p_value_is_the_level_whose_interval_ends_at_zero(value: float, windows: float) -> None:
    found = Estimate(value, 1e-4, 2e-4, windows)
    assert found.half_width(found.p_value()) == pytest.approx(abs(value), rel=1e-6)
    assert (found.p_value() < 0.05) == (found.low > 0 or found.high < 0)


def test_without_any_variance_only_zero_is_zero() -> None:
    assert Estimate(0.0, 0.0, 0.0, 2.0).p_value() == 1.0
    assert Estimate(0.1, 0.0, 0.0, 2.0).p_value() < 1e-12


def test_holm_is_that_of_scipys_reference_values() -> None:
    """The example in Holm's method as R's p.adjust(c(.01, .04, .03, .005), "holm") gives it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def simulated(rng: np.random.Generator, cards: int, days: int, horizon: int) -> Array:
    """Return log moves over `horizon` days [days - horizon, cards] with common and own parts.

    Each card has a level of its own, so that its errors on all dates are alike.
    """
    common = rng.normal(0, 0.01, days).cumsum()
    own = rng.normal(0, 0.03, (days, cards)) * rng.lognormal(0, 0.8, cards)
    path = common[:, None] + own.cumsum(axis=0)
    moves: Array = path[horizon:] - path[:-horizon]
    return moves


def share_held(origins: NDArray[np.int64], splits: int = 300) -> float:
    """Return the share of random halves of cards whose difference the interval holds."""
    rng = np.random.default_rng(7)
    last = np.abs(simulated(rng, 500, int(origins[-1]) + 8, 7))[origins]
    error = last * rng.lognormal(0, 0.5, 500) * rng.lognormal(0, 0.1, (len(origins), 1))
    days = [FIRST + timedelta(days=int(day)) for day in origins]
    origin, card = grid(*error.shape)
    clusters, held = Clusters(origin, card, days, 7), 0
    for _ in range(splits):
        half = (rng.random(500) < 0.5)[card]
        found = difference_of_halves(half, error.ravel(), last.ravel(), clusters)
        held += found.low <= 0 <= found.high
    return held / splits


def difference_of_halves(
    half: NDArray[np.bool_], error: Array, last: Array, clusters: Clusters
) -> Estimate:
    """Return the difference of the ratios of the terms [m] in a half and in the rest."""
    ratios = [error[rows].sum() / last[rows].sum() for rows in (half, ~half)]
    scale = np.where(half, 1 / last[half].sum(), -1 / last[~half].sum())
    terms = (error - np.where(half, *ratios) * last) * scale
    return clusters.estimate(ratios[0] - ratios[1], terms)


@pytest.mark.parametrize(
    "origins", [np.arange(20, 100, 7), np.arange(20, 100, 3)], ids=["apart", "overlapping"]
)
def test_the_interval_of_a_difference_holds_it_in_95_of_100_random_splits(
    origins: NDArray[np.int64],
) -> None:
    assert 0.93 <= share_held(origins) <= 0.97


@pytest.mark.parametrize(("days", "least", "most"), [(200, 0.92, 0.98), (36, 0.84, 0.98)])
def test_the_interval_of_a_score_holds_its_true_value(days: int, least: float, most: float) -> None:
    """The error of a forecast half-way between the last price and the truth is half of it.

    A common factor hits whole dates: an error by card alone holds it in far fewer markets. With 36
    days, of which the origins span three windows, the interval is too narrow.
    """
    rng = np.random.default_rng(3)
    held = alone = 0
    origins = np.array(origin_days(days, 7))
    dates = [FIRST + timedelta(days=int(day)) for day in origins]
    origin, card = grid(len(origins), 60)
    for _ in range(300):
        last = np.abs(simulated(rng, 60, days, 7)[origins])
        shock = rng.normal(0, 0.1, days + 7)
        shock = np.convolve(shock, np.ones(7) / 7, "valid")[origins][:, None]
        error = last * (0.5 + shock)
        found = Clusters(origin, card, dates, 7).ratio(error.ravel(), last.ravel())
        assert found is not None
        held += found.low <= 0.5 <= found.high
        alone += abs(found.value - 0.5) <= 1.96 * np.sqrt(found.card_variance)
    assert least <= held / 300 <= most
    assert alone / 300 < 0.7
