import json

import numpy as np
import pytest
from numpy.typing import NDArray

from pokewatch.valuation.book import STATUSES
from pokewatch.valuation.features import COLUMN, NAMES
from pokewatch.valuation.intervals import (
    BANDS,
    Intervals,
    StatusRules,
    _solve,
    band_of,
    liquidity_of,
    statuses,
)


def some_features(rows: int, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    values = np.zeros((rows, len(NAMES)), dtype=np.float32)
    values[:, COLUMN["volatility"]] = rng.exponential(0.02, rows)
    values[:, COLUMN["fresh_share"]] = rng.random(rows) ** 2
    values[:, COLUMN["log_price"]] = rng.normal(1.5, 1.5, rows)
    values[:, COLUMN["low_spread"]] = np.where(
        rng.random(rows) < 0.2, np.nan, -rng.exponential(0.3, rows)
    )
    return values


def some_errors(values: NDArray[np.float32], seed: int = 1) -> NDArray[np.float64]:
    """Heavy-tailed, skewed, often exactly zero, larger for volatile cards."""
    rng = np.random.default_rng(seed)
    size = 0.01 + 2.0 * values[:, COLUMN["volatility"]]
    errors = size * (rng.standard_t(3, len(values)) + 0.3 * rng.exponential(1.0, len(values)))
    return np.where(rng.random(len(values)) < 0.4, 0.0, errors)


def inside(
    intervals: Intervals, values: NDArray[np.float32], errors: NDArray[np.float64]
) -> NDArray[np.bool_]:
    below, above = intervals.distances(values)
    return (errors >= below - 1e-12) & (errors <= above + 1e-12)


def test_nine_of_ten_fall_inside_in_every_group() -> None:
    intervals = Intervals()
    values = some_features(60_000)
    intervals.fit(values, some_errors(values))
    values = some_features(60_000, seed=7)
    hit = inside(intervals, values, some_errors(values, seed=8))
    assert hit.mean() == pytest.approx(0.9, abs=0.01)
    liquidity, volatile = liquidity_of(values), values[:, COLUMN["volatility"]] > 0.02
    for group in range(3):
        for level in (False, True):
            assert hit[(liquidity == group) & (volatile == level)].mean() == pytest.approx(
                0.9, abs=0.03
            )


def test_each_side_misses_one_in_twenty() -> None:
    intervals = Intervals()
    values = some_features(60_000)
    errors = some_errors(values)
    intervals.fit(values, errors)
    below, above = intervals.distances(values)
    assert (errors < below).mean() == pytest.approx(0.05, abs=0.01)
    assert (errors > above).mean() == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("rows", [40, 99, 199])
def test_few_errors_give_intervals_that_are_wide_enough_on_average(rows: int) -> None:
    shares = []
    for seed in range(30):
        values = some_features(rows, seed)
        intervals = Intervals()
        intervals.fit(values, some_errors(values, seed + 1000))
        values = some_features(2000, seed + 2000)
        shares.append(inside(intervals, values, some_errors(values, seed + 3000)).mean())
    assert 0.88 <= np.mean(shares) <= 0.97


def test_without_enough_errors_there_is_no_calibration() -> None:
    intervals = Intervals()
    values = some_features(10)
    for errors in (np.empty(0), np.zeros(39)):
        intervals.fit(some_features(len(errors)), errors)
        assert not intervals.calibrated
        assert np.isnan(intervals.distances(values)).all()


def test_parameters_are_plain_json_and_give_the_same_numbers() -> None:
    values = some_features(5000)
    intervals = Intervals()
    intervals.fit(values, some_errors(values))
    again = Intervals(json.loads(json.dumps(intervals.parameters())))
    for one, other in zip(intervals.distances(values), again.distances(values), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_interval_always_holds_the_forecast() -> None:
    values = some_features(2000)
    intervals = Intervals()
    intervals.fit(values, np.abs(some_errors(values)) + 0.1)
    below, above = intervals.distances(values)
    assert (below <= 0).all()
    assert (above >= 0).all()


@pytest.mark.parametrize(
    ("upper", "quoted_days", "since", "age", "status"),
    [
        (1.2, 10, 0, 5, "ok"),
        (3.1, 10, 0, 5, "wide_interval"),
        (3.1, 10, 4, 5, "stale_price"),
        (1.2, 10, 0, 61, "stale_price"),
        (3.1, 2, 4, 61, "thin_history"),
        (np.nan, 0, 1, 1, "thin_history"),
    ],
)
def test_statuses(upper: float, quoted_days: int, since: int, age: int, status: str) -> None:
    fair = np.array([1.0 if np.isfinite(upper) else np.nan])
    found = statuses(
        fair,
        fair,
        np.array([upper]),
        np.array([quoted_days]),
        np.array([since]),
        np.array([age]),
        StatusRules(),
    )
    assert STATUSES[found[0]] == status


def test_a_price_on_an_edge_belongs_to_the_higher_band() -> None:
    assert [BANDS[band] for band in band_of(np.array([0.99, 1.0, 4.99, 5.0, 20.0, 100.0]))] == [
        "<1",
        "1-5",
        "1-5",
        "5-20",
        "20-100",
        ">100",
    ]


@pytest.mark.parametrize("size", [1, 2, 9])
def test_equations_are_solved_as_numpy_solves_them(size: int) -> None:
    rng = np.random.default_rng(size)
    terms = rng.normal(size=(size, 50)) * np.logspace(-2, 2, size)[:, None]
    matrix, right = terms @ terms.T + np.eye(size), rng.normal(size=size)
    original = matrix.copy()
    np.testing.assert_allclose(_solve(matrix, right), np.linalg.solve(matrix, right), rtol=1e-9)
    np.testing.assert_array_equal(matrix, original)
