"""Intervals from the moves of similar cards."""

import numpy as np
import pytest

from pokewatch.valuation.evaluation.unevaluated import missing_history
from pokewatch.valuation.features import stream_features
from pokewatch.valuation.models import create
from pokewatch.valuation.short_history import MoveCounter, PooledMoves, days_needed
from tests.valuation.panels import panel_of


def walks(days: int, cards: int, seed: int = 0, price: float = 10.0) -> np.ndarray:
    """Return prices [d, n] of which a quarter change each day, by 5% or so."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(0, 0.05, (days, cards)) * (rng.random((days, cards)) < 0.25)
    return np.asarray(price * np.exp(np.cumsum(moves, axis=0)))


def pooled(prices: np.ndarray) -> PooledMoves:
    counter = MoveCounter(prices.shape[1])
    for day, quote in enumerate(np.log(prices)):
        counter.advance(day, quote)
    return counter.pooled()


def test_days_needed_are_a_horizon_to_train_on_and_one_to_judge() -> None:
    assert [days_needed(horizon) for horizon in (1, 7, 30)] == [3, 15, 61]


@pytest.mark.parametrize(
    "prices",
    [
        walks(1, 1_000),
        walks(3, 12),
        np.full((10, 1_000), 5.0),
        np.vstack([np.full((9, 20), 5.0), np.full((1, 20), np.nan)]),
    ],
    ids=["one-day", "few-moves", "no-change", "no-change-and-a-gap"],
)
def test_without_known_changes_there_is_no_interval(prices: np.ndarray) -> None:
    assert np.isnan(pooled(prices).distance(7)).all()


@pytest.mark.parametrize("days", [2, 3, 7, 14])
@pytest.mark.parametrize("horizon", [1, 7, 30])
def test_at_least_ninety_of_a_hundred_outcomes_are_inside(days: int, horizon: int) -> None:
    prices = walks(days + horizon, 4_000, seed=days)
    distance = pooled(prices[:days]).distance(horizon)
    moved = np.abs(np.log(prices[-1] / prices[days - 1]))
    assert 0.89 <= np.mean(moved <= distance) <= 0.995


def test_the_distance_grows_with_the_horizon_and_shrinks_with_the_days() -> None:
    prices = walks(14, 2_000)
    near, far = (pooled(prices).distance(horizon).mean() for horizon in (7, 30))
    assert near < far < 7 * near
    assert pooled(prices[:2]).distance(7).mean() > pooled(prices).distance(7).mean()


def test_a_pool_in_which_hardly_any_quote_changes_still_has_a_width() -> None:
    prices = np.full((5, 3_000), 50.0)
    prices[2, :12] = 52.0  # 12 of 12,000 moves are changes
    prices[3:, :12] = 52.0
    distance = pooled(prices).distance(7)
    assert (distance >= np.log(52 / 50)).all()


def test_cards_take_the_moves_of_their_price_band() -> None:
    cheap, costly = walks(3, 1_000, price=0.5), walks(3, 1_000, seed=1, price=200.0)
    costly = costly[0] * (costly / costly[0]) ** 0.2
    distance = pooled(np.hstack([cheap, costly])).distance(7)
    assert distance[:1_000].mean() > 2 * distance[1_000:].mean()


def test_quotes_a_week_apart_make_the_step_of_a_week() -> None:
    prices = np.full((15, 1_000), np.nan)
    prices[::7] = walks(3, 1_000)
    daily = walks(3, 1_000)
    assert pooled(prices).distance(7).mean() == pytest.approx(
        pooled(daily).distance(1).mean(), rel=0.01
    )


def test_a_move_beyond_the_largest_size_is_counted_as_that() -> None:
    prices = walks(3, 1_000)
    prices[2, :300] *= 1e6
    assert np.isfinite(pooled(prices).distance(30)).all()


def test_outcomes_of_two_days_calibrate_no_interval() -> None:
    panel = panel_of(walks(10, 300))
    for days, calibrated in ((9, False), (10, True)):
        known = panel.up_to(days - 1)
        model = create("last", 7).fit(known)
        assert bool(model.parameters()["intervals"]["shapes"]) == calibrated
        assert np.isfinite(model.value(known, days - 1).lower).all()


@pytest.mark.parametrize("name", ["last", "median7", "local_level"])
def test_the_first_days_have_a_thin_history_however_many_cards(name: str) -> None:
    panel = panel_of(walks(15, 300))
    for days in (1, 2, 10, 14):
        known = panel.up_to(days - 1)
        values = create(name, 7).fit(known).value(known, days - 1)
        assert set(values.status) == {2}
        assert np.isfinite(values.fair).all()
        assert np.isfinite(values.lower).all() == (days > 1)
    assert set(create(name, 7).fit(panel).value(panel, 14).status) == {0}


def test_days_of_which_none_can_be_judged_have_a_thin_history_however_many() -> None:
    prices = walks(61, 300)
    prices[1::2] = np.nan  # no two days with prices are 7 days apart
    panel = panel_of(prices)
    assert missing_history(panel.quoted_days, 7)
    assert set(create("last", 7).fit(panel).value(panel, 60).status) == {2}
    assert not missing_history(panel.quoted_days, 8)
    assert set(create("last", 8).fit(panel).value(panel, 60).status) == {0}


@pytest.mark.parametrize("gap", [range(20, 60), range(3, 9), range(0)])
def test_a_history_is_thin_until_a_model_can_be_evaluated(gap: range) -> None:
    prices = walks(70, 40)
    prices[list(gap)] = np.nan
    panel = panel_of(prices)
    model = create("last", 7).fit(panel)
    for features in stream_features(panel, range(panel.days)):
        known = not missing_history(panel.up_to(features.day).quoted_days, 7)
        assert (model.value_features(features).status[0] != 2) == known


def test_the_interval_of_a_day_is_the_same_however_many_days_follow() -> None:
    panel = panel_of(walks(10, 300))
    model = create("last", 7).fit(panel.up_to(4))
    one, other = model.value(panel, 4), model.value(panel.up_to(4), 4)
    np.testing.assert_array_equal(one.lower, other.lower)
    np.testing.assert_array_equal(one.upper, other.upper)
