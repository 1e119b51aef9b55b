"""The permutation test rejects at its level on markets without skill, and has power with skill."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pokewatch.decision import FEES, FeeSchedule
from pokewatch.valuation.backtest.backtest import (
    BUY_CODE,
    HOLD_CODE,
    DailyEstimates,
    backtest,
    signal_codes,
)
from pokewatch.valuation.backtest.permutation import RandomTrades, volatility
from pokewatch.valuation.backtest.trades import TradeQuotes
from pokewatch.valuation.panel_file import read_panel

Floats = NDArray[np.float64]
NO_FEES = FeeSchedule("none", "USD", commission=0.0)
DAYS, FIRST = 80, 30


def random_walks(seed: int, cards: int = 400) -> Floats:
    """Prices [d, n] that nobody can predict: unequal, clustered volatility and fat tails."""
    random = np.random.default_rng(seed)
    deviation = np.exp(random.normal(np.log(0.03), 0.7, cards))
    state, moves = np.ones(cards), np.zeros((DAYS, cards))
    for day in range(DAYS):
        shock = np.sqrt(state) * random.standard_t(4, cards) / np.sqrt(2)
        moves[day] = deviation * shock * (random.random(cards) < 0.4)
        state = 0.1 + 0.85 * state + 0.06 * np.minimum((moves[day] / deviation) ** 2, 20)
    start = random.normal(2.0, 1.2, cards)
    prices: Floats = np.round(np.exp(start + moves.cumsum(axis=0)), 2).clip(0.02)
    return prices


def result_of(market: Floats, signals_from: Floats, seed: int) -> RandomTrades:
    """Return the test of signals against the 7-day median of the prices `signals_from`."""
    fair = np.array([np.median(signals_from[t - 6 : t + 1], axis=0) for t in range(FIRST, DAYS)])
    estimates = DailyEstimates(fair, 0.8 * fair, 1.2 * fair, np.ones(fair.shape, dtype=bool))
    signals = signal_codes(signals_from[FIRST:], estimates)
    fresh = np.vstack([np.ones_like(market[:1], dtype=bool), market[1:] != market[:-1]])
    quotes = TradeQuotes(market[FIRST:], fresh[FIRST:], None, volatility(market)[FIRST:])
    dates = np.datetime64("2024-03-01") + np.arange(len(fair))
    return backtest(dates, quotes, signals, FEES["tcgplayer"], 7, draws=99, seed=seed).random


def share_rejected(p_values: list[float]) -> float:
    return float(np.mean(np.array(p_values) <= 0.05))


def test_random_walks_are_rejected_at_about_the_level() -> None:
    p_values = [result_of(market, market, 0).p_value for market in map(random_walks, range(40))]
    assert share_rejected(p_values) <= 0.125  # at a level of 5%, more is seen in 1.4% of such tests
    assert 0.40 < np.mean(p_values) < 0.62


def test_signals_of_swapped_cards_are_rejected_at_about_the_level() -> None:
    """The signals of each card are followed in another card."""
    p_values = []
    for seed in range(25):
        market = random_walks(1000 + seed)
        swapped = market[:, np.random.default_rng(seed).permutation(market.shape[1])]
        p_values.append(result_of(market, swapped, 0).p_value)
    assert share_rejected(p_values) <= 0.12
    assert 0.38 < np.mean(p_values) < 0.65


@pytest.mark.slow
def test_real_prices_with_inverted_moves_are_rejected_at_about_the_level(
    shared_data: Path,
) -> None:
    """The sign of every move is drawn: volatility and its clusters are real, skill is not."""
    market = np.array(read_panel(shared_data / "cardmarket_daily.parquet").market)
    for day in range(1, len(market)):
        market[day] = np.where(np.isfinite(market[day]), market[day], market[day - 1])
    market = market[:, np.isfinite(market).all(axis=0)][:DAYS]
    p_values = []
    for seed in range(40):
        moves = np.diff(np.log(market), axis=0)
        moves *= np.random.default_rng(seed).choice([-1, 1], moves.shape)
        start = np.log(market[:1])
        walk = np.vstack([start, start + moves.cumsum(axis=0)])
        walk = np.round(np.exp(walk), 2).clip(0.01)
        p_values.append(result_of(walk, walk, 0).p_value)
    assert share_rejected(p_values) <= 0.125


def test_signals_with_skill_have_a_small_p_value() -> None:
    """Half of each dip is made up for within the days that follow."""
    p_values = []
    for seed in range(5):
        truth = random_walks(seed)
        dips = np.random.default_rng(seed).random(truth.shape) < 0.01
        for lag in range(3):
            truth[lag:][dips[: DAYS - lag]] *= 0.75
        p_values.append(result_of(truth, truth, 0).p_value)
    assert np.median(p_values) <= 0.05


def test_trades_are_drawn_from_cards_alike_in_price_and_volatility() -> None:
    market = np.full((60, 8), [10.0, 10.0, 10.0, 10.0, 13.0, 11.0, 10.0, 10.0])
    deviation = np.full(market.shape, [0.05, 0.05, 0.06, 0.09, 0.05, 0.05, 0.001, np.nan])
    quotes = TradeQuotes(market, np.ones(market.shape, dtype=bool), None, deviation)
    signals = np.full(market.shape, HOLD_CODE, dtype=np.int8)
    signals[2, 0] = BUY_CODE
    dates = np.datetime64("2024-03-01") + np.arange(60)
    made = backtest(dates, quotes, signals, NO_FEES, 5, draws=9)
    assert made.random.candidates == 4  # cards 0, 1, 2 and 5
    signals[2, :2] = signals[2, 6] = BUY_CODE
    assert backtest(dates, quotes, signals, NO_FEES, 5, draws=9).random.candidates == 4
    signals[2, :] = HOLD_CODE
    signals[2, 6] = BUY_CODE
    assert backtest(dates, quotes, signals, NO_FEES, 5, draws=9).random.candidates == 2


def test_the_trades_of_a_card_are_moved_together() -> None:
    """One lucky card traded often is one piece of evidence, not many."""
    cards = 40
    drift = np.zeros(cards)
    drift[0] = 0.003
    market = 100 * np.exp(np.outer(np.arange(60), drift))
    quotes = TradeQuotes(market, np.ones(market.shape, dtype=bool))
    signals = np.full(market.shape, HOLD_CODE, dtype=np.int8)
    signals[[0, 12, 24, 36], 0] = BUY_CODE
    dates = np.datetime64("2024-03-01") + np.arange(60)
    made = backtest(dates, quotes, signals, NO_FEES, 5, draws=999)
    assert made.followed.trades == 4
    assert made.random.p_value == pytest.approx(1 / cards, abs=0.02)  # moved singly: 1 / 40**4


def test_volatility_is_known_on_the_day_and_ignores_missing_quotes() -> None:
    market = 10 * np.exp(0.02 * np.cumsum(np.resize([1.0, -1.0, 1.0], (40, 3)), axis=0))
    market[5:9, 1] = np.nan
    market[:, 2] = 10.0
    found = volatility(market)
    assert np.isnan(found[0]).all()
    np.testing.assert_array_equal(volatility(market[:20]), found[:20])
    np.testing.assert_allclose(found[1:, 0], 0.02)
    assert (found[1:, 2] == 0).all()
    assert np.isfinite(found[1:, 1]).all()
