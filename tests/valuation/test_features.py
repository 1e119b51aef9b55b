from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pokewatch.valuation.features import (
    COLUMN,
    LEVELS,
    NAMES,
    NOISE_RATIOS,
    DayFeatures,
    stream_features,
)
from pokewatch.valuation.panel import Panel
from tests.valuation.panels import long_table, market_like, panel_from, panel_of


def on(panel: Panel, day: int) -> DayFeatures:
    return next(stream_features(panel, [day]))


def same(one: DayFeatures, other: DayFeatures) -> None:
    for field in ("last", "values", "quoted_days", "since_quote"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field), err_msg=field)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(3, 39), gaps=st.sampled_from([0.0, 0.1, 0.5]))
def test_the_future_changes_nothing(seed: int, cut: int, gaps: float) -> None:
    prices, low = market_like(40, 12, seed, gaps), market_like(40, 12, seed + 1, gaps)
    whole = panel_of(prices, low, sets=["x", "y", "z"] * 4)
    past = whole.up_to(cut)
    other = panel_of(
        np.concatenate([prices[: cut + 1], prices[cut + 1 :] * 3]),
        np.concatenate([low[: cut + 1], low[cut + 1 :] / 2]),
        ["x", "y", "z"] * 4,
    )
    for day in (cut // 2, cut):
        same(on(whole, day), on(past, day))
        same(on(whole, day), on(other, day))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(3, 39))
def test_cards_that_do_not_exist_yet_change_nothing(seed: int, cut: int) -> None:
    prices = market_like(40, 12, seed)
    prices[:, 0] = np.arange(1, 41)
    table = long_table(prices, sets=["x", "y", "z"] * 4)
    whole = panel_from(table)
    past = panel_from(
        table.filter(
            (table["date"].to_numpy() <= whole.dates[cut])
            & np.isfinite(table["market_price"].to_numpy())
        )
    )
    cards = np.isin(whole.card_id, past.card_id)
    np.testing.assert_array_equal(on(whole, cut).values[cards], on(past, cut).values)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(3, 39))
def test_later_averages_of_sales_change_nothing(seed: int, cut: int) -> None:
    averages = [market_like(40, 12, seed + number, 0.2) for number in (1, 2)]
    later = [np.concatenate([each[: cut + 1], 3 * each[cut + 1 :][::-1]]) for each in averages]
    panel = panel_of(market_like(40, 12, seed))
    whole, other = (replace(panel, avg7=one, avg30=two) for one, two in (averages, later))
    for day in (cut // 2, cut):
        same(on(whole, day), on(whole.up_to(cut), day))
        same(on(whole, day), on(other, day))


def test_asks_are_compared_with_the_quote_last_week_and_the_day_of_the_last_fresh_quote() -> None:
    prices = np.array([10.0, 10.0, 11.0, *[11.0] * 7])[:, None]
    low = np.array([8.0, 8.0, 9.0, 9.0, *[np.nan] * 5, 12.0])[:, None]
    panel = panel_of(prices, low=low)
    found = on(panel, 9)
    assert found.column("low_spread")[0] == pytest.approx(np.log(12 / 11), rel=1e-5)
    assert found.column("low_since_fresh")[0] == pytest.approx(np.log(12 / 9), rel=1e-5)
    assert found.column("low_move_7")[0] == pytest.approx(np.log(12 / 9), rel=1e-5)
    assert on(panel, 1).column("low_since_fresh")[0] == 0.0
    assert np.isnan(on(panel, 5).column("low_since_fresh")[0])
    assert np.isnan(found.column("mid_since_fresh")[0])


def test_the_gap_is_what_the_asks_say_beyond_their_usual_distance() -> None:
    prices = np.full((60, 2), 10.0)
    low = np.tile([[15.0, 7.0]], (60, 1))
    low[-1, 0] = np.nan
    assert on(panel_of(prices, low=low), 59).column("low_gap") == pytest.approx(0.0, abs=1e-6)
    low[50:] *= 1.2
    risen = on(panel_of(prices, low=low), 59)
    assert (risen.column("low_gap") > 0.1).all()
    assert (risen.column("low_gap") < np.log(1.2)).all()
    assert np.isnan(risen.column("mid_gap")).all()


def test_averages_of_sales_are_relative_to_the_quote_and_keep_their_last_value() -> None:
    prices = np.full((9, 2), 10.0)
    avg7 = np.tile(np.array([[8.0], *[[9.0]] * 7, [np.nan]]), (1, 2))
    avg7[:, 1] = np.nan
    found = on(replace(panel_of(prices), avg7=avg7), 8)
    assert found.column("avg7")[0] == pytest.approx(np.log(0.9), rel=1e-5)
    assert found.column("avg7_move_7")[0] == pytest.approx(0.0, abs=1e-6)
    earlier = on(replace(panel_of(prices), avg7=avg7), 7)
    assert earlier.column("avg7_move_7")[0] == pytest.approx(np.log(9 / 8), rel=1e-5)
    for name in ("avg30", "avg30_move_7"):
        assert np.isnan(found.column(name)).all()
    assert np.isnan(found.column("avg7")[1])


def test_averages_and_momentum_are_what_they_say() -> None:
    prices = [10.0, 11.0, 12.0, 11.0, 13.0, 12.0, 14.0, 15.0, 13.0]
    found = on(panel_of(np.array(prices)[:, None]), 8)
    last = np.log(prices[-1])
    assert found.last[0] == last
    assert found.column("mean3")[0] == pytest.approx(np.log(np.mean(prices[-3:])) - last, rel=1e-5)
    assert found.column("median7")[0] == pytest.approx(
        np.median(np.log(prices[-7:])) - last, rel=1e-5
    )
    for days in (1, 3, 7):
        assert found.column(f"momentum_{days}")[0] == pytest.approx(
            last - np.log(prices[-1 - days]), rel=1e-5
        )
    assert found.column("momentum_28")[0] == pytest.approx(last - np.log(prices[0]), rel=1e-5)
    assert found.column("volatility")[0] == pytest.approx(
        np.abs(np.diff(np.log(prices))).mean(), rel=1e-5
    )
    assert found.column("fresh_share")[0] == 1.0


def test_a_missing_day_repeats_the_last_quote() -> None:
    found = on(panel_of([[10.0], [12.0], [np.nan], [12.0]]), 3)
    assert found.column("mean3")[0] == pytest.approx(0.0, abs=1e-6)
    assert found.column("age")[0] == 2
    assert (found.quoted_days[0], found.since_quote[0]) == (3, 0)


def test_a_card_never_quoted_has_no_features_and_a_single_price_has() -> None:
    found = on(panel_of([[np.nan, 5.0, 1.0], [np.nan, np.nan, 1.0]]), 1)
    # panel_of drops no card: c000 has rows, none of them a price.
    assert np.isnan(found.values[0]).all()
    assert found.quoted_days.tolist() == [0, 1, 2]
    assert found.column("momentum_7")[1] == 0.0
    assert all(found.column(level)[1] == 0.0 for level in LEVELS)


def test_new_cards_are_those_first_quoted_lately_in_an_older_market() -> None:
    prices = np.full((12, 5), 5.0)
    prices[:2] = np.nan  # the market begins on day 2
    prices[:4, 1] = np.nan
    prices[:5, 2] = np.nan
    prices[2:11, 3] = np.nan  # one quote
    prices[:, 4] = np.nan
    panel = panel_of(prices)
    assert on(panel, 11).new_cards(7).tolist() == [False, False, True, True, True]
    assert on(panel, 11).new_cards(8).tolist() == [False, True, True, True, True]
    assert on(panel, 11).new_cards(30).tolist() == [False, True, True, True, True]
    assert on(panel, 3).new_cards(7).tolist() == [False, True, True, True, True]
    assert on(panel, 0).new_cards(7).all()


def test_a_halted_card_keeps_its_last_quote_and_its_age_grows() -> None:
    prices = np.full((20, 2), np.nan)
    prices[:5, 0], prices[:, 1] = 3.0, 4.0
    found = on(panel_of(prices), 19)
    assert found.last[0] == np.log(3.0)
    assert (found.since_quote[0], found.column("age")[0]) == (15, 19)


def kalman(quotes: NDArray[np.float64], ratio: float) -> float:
    """The textbook local level, one quote at a time."""
    mean, variance = quotes[0], 1.0
    for quote in quotes[1:]:
        variance += ratio
        gain = variance / (variance + 1.0)
        mean, variance = mean + gain * (quote - mean), (1 - gain) * variance
    return float(mean)


def test_the_local_level_is_the_textbooks_where_no_quote_is_far_out() -> None:
    quotes = np.exp(2.0 + 0.01 * np.sin(np.arange(30.0)))
    found = on(panel_of(quotes[:, None]), 29)
    for name, ratio in zip(LEVELS, NOISE_RATIOS, strict=True):
        assert found.column(name)[0] == pytest.approx(
            kalman(np.log(quotes), ratio) - np.log(quotes[-1]), abs=1e-6
        )


def test_repeats_of_a_quote_carry_no_evidence() -> None:
    once = on(panel_of(np.array([10.0, 10.5, 10.0, 10.5, 11.5])[:, None]), 4)
    repeated = on(panel_of(np.array([10.0, 10.5, 10.0, 10.5, 11.5, 11.5, 11.5, 11.5])[:, None]), 7)
    for name in LEVELS:
        assert repeated.column(name)[0] == once.column(name)[0] != 0


def test_an_outlier_hardly_moves_the_level() -> None:
    calm = np.exp(0.01 * np.sin(np.arange(30.0)))
    struck = calm.copy()
    struck[-1] = 20.0
    found = on(panel_of(np.stack([calm, struck], axis=1)), 29)
    level = found.last + found.column(LEVELS[0])
    assert abs(level[1] - level[0]) < 0.05


def test_every_feature_is_finite_or_known_to_be_missing() -> None:
    found = on(panel_of(market_like(60, 40)), 59)
    quoted = np.isfinite(found.last)
    missing = {name for name in NAMES if np.isnan(found.values[quoted, COLUMN[name]]).any()}
    assert missing <= {
        "low_spread",
        "mid_spread",
        "low_move_7",
        "mid_move_7",
        "low_since_fresh",
        "mid_since_fresh",
        "low_gap",
        "mid_gap",
        "since_release",
        "avg7",
        "avg30",
        "avg7_move_7",
        "avg30_move_7",
        *(f"momentum_{d}" for d in (1, 3, 7, 14, 28)),
    }
    assert not np.isinf(found.values).any()


def test_days_that_are_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match=r"within 0\.\.4, got 5\.\.5"):
        list(stream_features(panel_of(market_like(5, 3)), [5]))
