import json
from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from pokewatch.decision import FEES, FeeSchedule, Thresholds
from pokewatch.market.sources.simulated_catalog import make_cards
from pokewatch.market.sources.simulated_process import MarketPath
from pokewatch.valuation.backtest.backtest import (
    BUY_CODE,
    HOLD_CODE,
    NOT_VALUED,
    SELL_CODE,
    DailyEstimates,
    backtest,
    compare_policies,
    signal_codes,
)
from pokewatch.valuation.backtest.trades import (
    Capacity,
    Fill,
    OrderBook,
    TradeQuotes,
    taken_orders,
)

NO_FEES = FeeSchedule("none", "USD", commission=0.0)
Floats = NDArray[np.float64]


def dates(days: int) -> NDArray[np.datetime64]:
    return np.datetime64("2024-03-01") + np.arange(days)


def rising_and_falling(days: int = 30) -> TradeQuotes:
    """Card 0 gains 2% a day, card 1 loses 2%, card 2 stays; every quote is fresh."""
    market = 100 * np.exp(0.02 * np.outer(np.arange(days), [1, -1, 0]))
    return TradeQuotes(market, np.ones(market.shape, dtype=bool))


def codes(quotes: TradeQuotes, *buys: tuple[int, int]) -> NDArray[np.int8]:
    signals = np.full(quotes.market.shape, HOLD_CODE, dtype=np.int8)
    for day, card in buys:
        signals[day, card] = BUY_CODE
    return signals


def test_a_backtest_computed_by_hand() -> None:
    quotes = rising_and_falling()
    made = backtest(
        dates(30),
        quotes,
        codes(quotes, (0, 0), (0, 1), (3, 0), (29, 2)),
        NO_FEES,
        horizon=5,
        draws=50,
    )
    gain, loss = (
        np.exp(0.02 * 7) - 1,
        np.exp(-0.02 * 7) - 1,
    )  # filled on day 1, sold at the middle of days 6 to 10
    assert (
        made.signals,
        made.followed.trades,
        made.unfilled,
        made.overlapping,
        made.unfinished,
    ) == (4, 2, 0, 1, 1)
    assert made.followed.mean_net == pytest.approx((gain + loss) / 2)
    assert made.followed.hit_rate == 0.5
    assert made.followed.mean_days_held == 9
    equity = np.ones(30)
    equity[10:] = 1 + (gain + loss) / 2  # two copies at once, half of the money each
    np.testing.assert_allclose(made.curve.equity, equity)
    assert made.curve.max_drawdown == 0
    assert made.buy_everything.trades == 6  # three cards, each twice: ordered on days 0 and 11
    assert made.buy_everything.mean_net == pytest.approx((gain + loss) / 3)
    assert made.random.mean_net == pytest.approx((gain + loss) / 3, abs=0.02)


def test_every_signal_is_accounted_for() -> None:
    quotes = rising_and_falling()
    stale = TradeQuotes(quotes.market, quotes.fresh.copy())
    stale.fresh[1:8, 0] = False
    signals = codes(stale, (0, 0), (0, 1), (5, 1), (20, 0), (28, 2), (29, 2))
    signals[22, 0] = SELL_CODE
    made = backtest(dates(30), stale, signals, NO_FEES, horizon=5, draws=1)
    assert (made.unfilled, made.overlapping, made.unfinished, made.followed.trades) == (1, 1, 2, 2)
    assert made.signals == 6


def test_an_order_waits_beyond_the_data_unless_its_days_are_over_or_a_sell_came() -> None:
    quotes = rising_and_falling()
    quotes.fresh[25:] = False
    signals = codes(quotes, (24, 0), (25, 1), (26, 2))
    signals[28, 2] = SELL_CODE
    made = backtest(dates(30), quotes, signals, NO_FEES, horizon=5, draws=1)
    assert (made.signals, made.unfilled, made.unfinished) == (3, 2, 1)


def test_drawdown_is_the_largest_fall_from_a_peak() -> None:
    quotes = rising_and_falling(60)
    made = backtest(
        dates(60),
        quotes,
        codes(quotes, (0, 0), (12, 1), (24, 0), (36, 1)),
        NO_FEES,
        horizon=5,
        draws=1,
    )
    gain, loss = np.exp(0.02 * 7), np.exp(-0.02 * 7)
    assert made.curve.equity[-1] == pytest.approx(gain * loss * gain * loss)
    assert made.curve.max_drawdown == pytest.approx(1 - loss)


@pytest.mark.parametrize(
    ("bought", "low", "high"), [(0, 0.002, 0.02), (1, 0.99, 1.0)], ids=["the winners", "the losers"]
)
def test_p_values_of_informed_and_uninformed_signals(bought: int, low: float, high: float) -> None:
    market = 100 * np.exp(0.001 * np.outer(np.arange(60), [1, -1, 0]))  # alike on every day
    wide = TradeQuotes(np.tile(market, 5), np.ones((60, 15), dtype=bool))
    signals = codes(
        wide,
        *[(12 * k, bought + 3 * (k % 5)) for k in range(4)],
        *[(12 * k, bought + 3 * ((k + 1) % 5)) for k in range(4)],
    )
    made = backtest(dates(60), wide, signals, NO_FEES, horizon=5, draws=400)
    assert made.random.p_value * 401 == pytest.approx(
        round(made.random.p_value * 401)
    )  # the signals are one draw among them
    assert low <= made.random.p_value <= high
    assert (
        made.random.p_value
        == backtest(dates(60), wide, signals, NO_FEES, horizon=5, draws=400).random.p_value
    )


def test_more_signals_than_capacity_take_the_cheapest_against_their_fair_prices() -> None:
    market = np.full((40, 8), 100.0)
    market[3] = [89, 70, 80, 88, 60, 87, 86, 85]
    quotes = TradeQuotes(market, np.ones(market.shape, dtype=bool))
    fair = np.full(market.shape, 100.0)
    estimates = DailyEstimates(fair, 0.9 * fair, 1.1 * fair, np.ones(market.shape, dtype=bool))
    (made,) = compare_policies(
        dates(40),
        quotes,
        estimates,
        NO_FEES,
        5,
        policies=("threshold",),
        capacity=Capacity(a_day=3),
        draws=9,
    )
    assert (made.signals, made.followed.trades, made.over_capacity) == (8, 3, 5)
    assert made.followed.total_cost == 300.0
    everything = backtest(dates(40), quotes, codes(quotes, (0, 0)), NO_FEES, 5).buy_everything
    assert everything.trades == 8 * 3  # no limit


def test_gains_in_currency_and_their_concentration() -> None:
    market = np.full((20, 4), [100.0, 10.0, 10.0, 10.0])
    market[5:] += [20.0, 5.0, 5.0, -5.0]
    quotes = TradeQuotes(market, np.ones(market.shape, dtype=bool), 0.5 * market)
    signals = codes(quotes, *[(0, card) for card in range(4)])
    fees = FeeSchedule("posted", "USD", commission=0.0, postage=2.0)
    made = backtest(dates(20), quotes, signals, fees, horizon=5)
    followed = made.followed
    assert (made.postage, made.asks) == (2.0, 1.0)
    assert followed.total_cost == 102.0 + 3 * 12.0
    assert followed.total_gain == pytest.approx(18.0 + 3.0 + 3.0 - 7.0)
    assert followed.mean_gain == pytest.approx(17.0 / 4)
    assert followed.median_gain == 3.0
    assert followed.best_share == pytest.approx(18.0 / 24.0)
    assert followed.best_three_share == pytest.approx(1.0)
    assert followed.median_net == pytest.approx((18 / 102 + 3 / 12) / 2)


def test_no_signal_no_trade() -> None:
    quotes = rising_and_falling()
    made = backtest(dates(30), quotes, codes(quotes), FEES["ebay"], horizon=5)
    assert made.followed.trades == made.sham_same_day.trades == made.signals == 0
    assert made.curve.equity == (1.0,) * 30
    plain = made.to_json()
    assert plain["followed"]["mean_net"] is None
    assert plain["random"]["p_value"] is None
    json.dumps(plain, allow_nan=False)
    assert made.to_json()["asks"] is None


def test_no_estimates() -> None:
    quotes = rising_and_falling()
    made = backtest(
        dates(30), quotes, np.zeros(quotes.market.shape, dtype=np.int8), NO_FEES, horizon=5
    )
    assert made.buy_everything.trades == 0


def test_json_labels_the_sham_and_names_policy_and_fees() -> None:
    quotes = rising_and_falling()
    plain = backtest(
        dates(30), quotes, codes(quotes, (0, 0)), FEES["tcgplayer"], horizon=5, policy="net_of_fees"
    ).to_json()
    assert plain["sham_same_day"]["label"].startswith("sham")
    assert (plain["policy"], plain["fees"], plain["currency"], plain["horizon"]) == (
        "net_of_fees",
        "tcgplayer",
        "USD",
        5,
    )
    assert plain["dates"][0] == "2024-03-01"
    assert len(plain["curve"]["equity"]) == len(plain["random_curve"]["equity"]) == 30


def test_signals_of_estimates() -> None:
    market = np.array([[90.0, 115.0, 100.0, 90.0, np.nan, 90.0]])
    fair = np.array([[100.0, 100.0, 100.0, np.nan, 100.0, 100.0]])
    estimates = DailyEstimates(
        fair, 0.95 * fair, 1.05 * fair, np.array([[True, True, True, True, True, False]])
    )
    assert signal_codes(market, estimates).tolist() == [
        [BUY_CODE, SELL_CODE, HOLD_CODE, NOT_VALUED, NOT_VALUED, HOLD_CODE]
    ]
    assert signal_codes(market, estimates, "net_of_fees", FEES["ebay"]).tolist() == [
        [HOLD_CODE] * 3 + [NOT_VALUED] * 2 + [HOLD_CODE]
    ]
    loose = signal_codes(market, estimates, thresholds=Thresholds(-0.1, 0.0))
    assert loose.tolist() == [[BUY_CODE, SELL_CODE, SELL_CODE, NOT_VALUED, NOT_VALUED, HOLD_CODE]]


def test_signals_on_another_number_of_days_are_refused() -> None:
    quotes = rising_and_falling()
    with pytest.raises(ValueError, match=r"signals must be \(30, 3\) on 29 dates"):
        backtest(dates(29), quotes, codes(quotes), NO_FEES, horizon=5)


@pytest.fixture(scope="module")
def simulated() -> tuple[TradeQuotes, Floats, DailyEstimates]:
    """Half a year of the simulated market, valued by a running average of changed quotes.

    Return its quotes, the true fair prices and the estimates.
    """
    cards, days = 4000, 200
    path = MarketPath(make_cards(cards, 2)[1], 2)
    while path.day < 100:
        path.advance()
    market, truth = np.full((days, cards), np.nan), np.full((days, cards), np.nan)
    for day in range(days):
        quoted = path.quotes()
        market[day, quoted.card], truth[day] = quoted.market, path.fair()
        path.advance()
    fresh, level = np.zeros(market.shape, dtype=bool), np.log(market[0])
    last, fair = market[0].copy(), np.full(market.shape, np.nan)
    for day in range(1, days):
        known = np.isfinite(market[day])
        fresh[day] = known & (market[day] != last)
        last = np.where(known, market[day], last)
        level = np.where(np.isnan(level), np.log(market[day]), level)
        level = np.where(fresh[day], level + 0.25 * (np.log(market[day]) - level), level)
        fair[day] = np.exp(level)
    eligible = fair > 2
    return (
        TradeQuotes(market, fresh),
        truth,
        DailyEstimates(np.where(eligible, fair, np.nan), 0.93 * fair, 1.07 * fair, eligible),
    )


def test_filling_at_the_signals_quote_turns_noise_into_profit(
    simulated: tuple[TradeQuotes, Floats, DailyEstimates],
) -> None:
    """The same signals, filled in two ways: noise is profit only at the quote that is wrong."""
    quotes, _, estimates = simulated
    signals = signal_codes(quotes.market, estimates)
    order_book = OrderBook(quotes, NO_FEES, 7, signals == SELL_CODE)
    day, card = np.nonzero(signals == BUY_CODE)
    net = {}
    fills: tuple[Fill, ...] = ("same_day", "next_fresh")
    for fill in fills:
        made = order_book.outcomes(day, card, fill)
        taken = made.take(taken_orders(made, signals.shape[1])[0] & made.finished)
        assert len(taken.net) > 100
        net[fill] = taken.net.mean()
    assert net["same_day"] > 0.05
    assert net["same_day"] > net["next_fresh"] + 0.05
    assert abs(net["next_fresh"]) < 0.05


def test_the_sham_overstates_what_following_the_signals_earns(
    simulated: tuple[TradeQuotes, Floats, DailyEstimates],
) -> None:
    quotes, _, estimates = simulated
    made = compare_policies(dates(len(quotes.market)), quotes, estimates, FEES["ebay"], 7)
    threshold, net_of_fees = made
    assert threshold.sham_same_day.mean_net > threshold.followed.mean_net + 0.05
    assert threshold.followed.mean_net < 0
    assert threshold.followed.mean_net > threshold.buy_everything.mean_net - 0.05
    assert net_of_fees.signals < threshold.signals
    assert [one.policy for one in made] == ["threshold", "net_of_fees"]
    days = timedelta(days=len(quotes.market) - 1)
    assert np.datetime64(threshold.dates[-1]) - np.datetime64(threshold.dates[0]) == np.timedelta64(
        days
    )
