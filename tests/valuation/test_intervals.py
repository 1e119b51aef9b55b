import json
from dataclasses import astuple

import numpy as np
import pytest
from numpy.typing import NDArray

from pokewatch.decision import predictive_cdf
from pokewatch.valuation.book import STATUSES
from pokewatch.valuation.common_errors import CardOutcomes
from pokewatch.valuation.features import COLUMN, NAMES
from pokewatch.valuation.intervals import (
    BANDS,
    MAX_COVERAGE,
    Intervals,
    StatusRules,
    _levels,
    _usable_cells,
    band_of,
    liquidity_of,
    statuses,
)

Errors = tuple[NDArray[np.float64], NDArray[np.bool_]]


def some_features(rows: int, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    values = np.zeros((rows, len(NAMES)), dtype=np.float32)
    values[:, COLUMN["volatility"]] = rng.exponential(0.02, rows)
    share = rng.random(rows) ** 2
    values[:, COLUMN["fresh_share"]] = share
    values[:, COLUMN["renewal_odds"]] = np.log((28 * share + 0.5) / (28 * (1 - share) + 5))
    values[:, COLUMN["log_price"]] = rng.normal(1.5, 1.5, rows)
    values[:, COLUMN["low_spread"]] = np.where(
        rng.random(rows) < 0.2, np.nan, -rng.exponential(0.3, rows)
    )
    return values


def some_moves(values: NDArray[np.float32], seed: int = 2) -> NDArray[np.float64]:
    """Return forecast log moves, larger for volatile cards, half of them none."""
    rng = np.random.default_rng(seed)
    moves = values[:, COLUMN["volatility"]] * rng.normal(0.0, 2.0, len(values))
    return np.where(rng.random(len(values)) < 0.5, 0.0, moves)


def some_errors(values: NDArray[np.float32], seed: int = 1, same: float = 0.4) -> Errors:
    """Return heavy-tailed, skewed errors, larger for volatile cards, and which are no change."""
    rng = np.random.default_rng(seed)
    size = 0.01 + 2.0 * values[:, COLUMN["volatility"]]
    errors = size * (rng.standard_t(3, len(values)) + 0.3 * rng.exponential(1.0, len(values)))
    unchanged = rng.random(len(values)) < same * 2 * (1 - np.sqrt(values[:, COLUMN["fresh_share"]]))
    return np.where(unchanged, 0.0, errors), unchanged


def fitted(values: NDArray[np.float32], given: Errors) -> Intervals:
    intervals = Intervals()
    rows = np.arange(len(values))
    intervals.fit(values, some_moves(values), *given, CardOutcomes(rows, rows % 100, 1))
    return intervals


def inside(intervals: Intervals, values: NDArray[np.float32], given: Errors) -> NDArray[np.bool_]:
    spread = intervals.spread(values, some_moves(values))
    return (given[0] >= spread.below - 1e-12) & (given[0] <= spread.above + 1e-12)


def test_nine_of_ten_changed_quotes_fall_inside_where_few_are_unchanged() -> None:
    values = some_features(60_000)
    intervals = fitted(values, some_errors(values, same=0.0))
    values = some_features(60_000, seed=7)
    given = some_errors(values, seed=8, same=0.0)
    hit = inside(intervals, values, given)
    assert hit.mean() == pytest.approx(0.9, abs=0.01)
    liquidity, volatile = liquidity_of(values), values[:, COLUMN["volatility"]] > 0.02
    for group in range(3):
        for level in (False, True):
            assert hit[(liquidity == group) & (volatile == level)].mean() == pytest.approx(
                0.9, abs=0.03
            )


def test_unchanged_quotes_do_not_buy_coverage() -> None:
    values = some_features(60_000)
    intervals = fitted(values, some_errors(values))
    values = some_features(60_000, seed=7)
    given = some_errors(values, seed=8)
    hit, changed, likely = (
        inside(intervals, values, given),
        ~given[1],
        values[:, COLUMN["fresh_share"]] < 0.1,
    )
    assert hit.mean() == pytest.approx(MAX_COVERAGE, abs=0.015)
    assert hit[likely].mean() == pytest.approx(MAX_COVERAGE, abs=0.015)
    assert hit[~likely & changed].mean() > hit[likely & changed].mean() + 0.05


def test_each_side_misses_one_in_twenty_changed_quotes() -> None:
    values = some_features(60_000)
    given = some_errors(values, same=0.0)
    spread = fitted(values, given).spread(values, some_moves(values))
    assert (given[0] < spread.below).mean() == pytest.approx(0.05, abs=0.01)
    assert (given[0] > spread.above).mean() == pytest.approx(0.05, abs=0.01)


def test_the_distribution_is_that_of_other_errors() -> None:
    values = some_features(60_000)
    intervals = fitted(values, some_errors(values))
    values = some_features(60_000, seed=7)
    errors, unchanged = some_errors(values, seed=8)
    spread = intervals.spread(values, some_moves(values))
    one = spread.distribution(np.zeros(len(values)), np.zeros(len(values)))
    assert one.unchanged.mean() == pytest.approx(unchanged.mean(), abs=0.01)
    likely = one.unchanged > 0.5
    assert one.unchanged[likely].mean() == pytest.approx(unchanged[likely].mean(), abs=0.02)
    for price in (0.8, 0.95, 1.0, 1.05, 1.3):
        chance = predictive_cdf(one, price)
        happened = np.exp(errors) <= price
        assert chance.mean() == pytest.approx(happened.mean(), abs=0.01)
        base = happened.mean()
        loss = -np.where(happened, np.log(chance), np.log(1 - chance)).mean()
        assert loss < -(base * np.log(base) + (1 - base) * np.log(1 - base))


def test_the_distribution_is_right_whatever_the_forecast_move() -> None:
    """Here quotes that change move by half more than is forecast, and few stay far from it."""

    def outcomes_of(
        values: NDArray[np.float32], seed: int
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        moves = some_moves(values)
        errors, _ = some_errors(values, seed, same=0.0)
        stays = np.random.default_rng(seed + 100).random(len(values)) < 0.7 * np.exp(
            -60 * np.abs(moves)
        )
        return np.where(stays, -moves, 0.5 * moves + errors), stays

    values = some_features(60_000)
    intervals = fitted(values, outcomes_of(values, 1))
    values = some_features(60_000, seed=7)
    errors, unchanged = outcomes_of(values, 8)
    moves = some_moves(values)
    one = intervals.spread(values, moves).distribution(np.zeros(len(values)), moves)
    target = moves + errors
    for low, high in ((-1, -0.06), (-0.06, -0.02), (-0.02, 0.02), (0.02, 0.06), (0.06, 1)):
        inside = (moves > low) & (moves < high)
        assert one.unchanged[inside].mean() == pytest.approx(unchanged[inside].mean(), abs=0.06)
        for price in (0.95, 1.0, 1.05):
            stated, happened = predictive_cdf(one, price)[inside], np.exp(target[inside]) <= price
            assert stated.mean() == pytest.approx(happened.mean(), abs=0.1), (low, price)


def test_the_floor_counts_independent_errors_only() -> None:
    rng, rows, intervals = np.random.default_rng(2), np.arange(4000), Intervals()
    values, changed = some_features(4000), np.zeros(4000, dtype=np.bool_)
    own, common = rng.normal(0, 0.1, 4000), rng.normal(0, 0.1, 40)[rows % 40]
    floors = []
    for errors, horizon in ((own, 1), (own, 10), (own, 20), (own + common, 20)):
        outcomes = CardOutcomes(rows // 40, rows % 40, horizon)  # 100 cards on 40 days
        intervals.fit(values, some_moves(values), errors, changed, outcomes)
        floors.append(intervals.parameters()["shapes"][0][0])
    assert floors[:3] == pytest.approx([1 / 4000, 1 / 400, 1 / 200], rel=0.35)
    assert floors[3] > 0.04


@pytest.mark.parametrize("rows", [100, 170, 330])
def test_few_errors_give_intervals_that_are_wide_enough_on_average(rows: int) -> None:
    shares = []
    for seed in range(30):
        values = some_features(rows, seed)
        intervals = fitted(values, some_errors(values, seed + 1000))
        values = some_features(2000, seed + 2000)
        shares.append(inside(intervals, values, some_errors(values, seed + 3000)).mean())
    assert 0.88 <= np.mean(shares) <= 0.97


def test_without_enough_errors_there_is_no_calibration() -> None:
    for errors in (np.empty(0), np.ones(39)):
        given = errors, np.zeros(len(errors), dtype=np.bool_)
        assert not fitted(some_features(len(errors)), given).calibrated


def test_quotes_that_never_change_have_an_interval_of_some_width() -> None:
    values = some_features(3000)
    intervals = fitted(values, (np.zeros(3000), np.ones(3000, dtype=np.bool_)))
    spread = intervals.spread(values, some_moves(values))
    assert (spread.below < 0).all()
    assert (spread.above > 0).all()
    assert ((spread.unchanged > 0.99) & (spread.unchanged < 1)).all()


def test_a_class_with_few_errors_has_the_cells_of_another() -> None:
    """Half of the cards hardly ever change: too few do for a class of their own."""
    values, rare = some_features(4000), np.arange(4000) % 2 == 1
    values[:, COLUMN["renewal_odds"]] = np.where(rare, -4.0, 4.0)
    unchanged = rare & (np.random.default_rng(5).random(4000) < 0.95)
    errors, _ = some_errors(values, same=0.0)
    intervals = fitted(values, (np.where(unchanged, 0.0, errors), unchanged))
    seldom, often = values[:1000].copy(), values[:1000].copy()
    seldom[:, COLUMN["renewal_odds"]], often[:, COLUMN["renewal_odds"]] = -4.0, 4.0
    moves = np.zeros(1000)
    one, other = intervals.spread(seldom, moves), intervals.spread(often, moves)
    assert one.unchanged.min() > 0.8
    assert other.unchanged.max() < 0.05
    assert (one.shape == other.shape).mean() > 0.9


def test_parameters_are_plain_json_and_give_the_same_numbers() -> None:
    values = some_features(5000)
    intervals = fitted(values, some_errors(values))
    again = Intervals(json.loads(json.dumps(intervals.parameters())))
    moves = some_moves(values)
    for one, other in zip(
        astuple(intervals.spread(values, moves)), astuple(again.spread(values, moves)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_the_interval_always_holds_the_forecast() -> None:
    values = some_features(2000)
    errors, unchanged = some_errors(values)
    spread = fitted(values, (np.abs(errors) + 0.1, unchanged)).spread(values, some_moves(values))
    assert (spread.below < 0).all()
    assert (spread.above > 0).all()


@pytest.mark.parametrize(
    ("upper", "new", "since", "age", "unconfirmed", "status"),
    [
        (1.2, False, 0, 5, False, "ok"),
        (3.1, False, 0, 5, False, "wide_interval"),
        (3.1, False, 4, 5, False, "stale_price"),
        (1.2, False, 0, 61, False, "stale_price"),
        (3.1, False, 4, 61, True, "unconfirmed_jump"),
        (3.1, True, 4, 61, True, "thin_history"),
        (np.nan, True, 1, 1, False, "thin_history"),
        (np.nan, False, 0, 5, False, "thin_history"),
        (np.nan, False, 4, 61, True, "thin_history"),
    ],
)
def test_statuses(
    upper: float, new: bool, since: int, age: int, unconfirmed: bool, status: str
) -> None:
    fair = np.array([1.0])
    found = statuses(
        fair,
        fair,
        np.array([upper]),
        np.array([new]),
        np.array([since]),
        np.array([age]),
        np.array([unconfirmed]),
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


def test_cells_share_the_rows_of_their_group() -> None:
    rng = np.random.default_rng(4)
    cell = rng.choice(np.array([3, 4, 131, 260, 397, 479]), 20_000)
    unit = np.where(cell == 131, 7, rng.integers(0, 900, 20_000))  # that cell is of one unit
    found = list(_usable_cells(cell, unit))
    assert [cells.tolist() for cells, _, _ in found[-5:]] == [[3], [4], [260], [397], [479]]
    for cells, rows, units in found:
        assert (np.diff(rows) > 0).all()
        assert any(
            np.array_equal(rows, np.flatnonzero(np.isin(group, group[np.isin(cell, cells)])))
            for group in _levels(cell)
        )
        assert set(np.unique(cell[rows])) <= set(cells.tolist())
        assert units == len(np.unique(unit[rows])) >= 60
