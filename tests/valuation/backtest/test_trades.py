from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pokewatch.decision import FeeSchedule
from pokewatch.valuation.backtest.trades import (
    EXIT_DAYS,
    Capacity,
    OrderBook,
    Outcomes,
    TradeQuotes,
    taken_orders,
)

NO_FEES = FeeSchedule("none", "USD", commission=0.0)
TEN_PERCENT = FeeSchedule("ten", "USD", commission=0.1, fixed=0.5)
Floats = NDArray[np.float64]


def card(*prices: float, stale: tuple[int, ...] = ()) -> TradeQuotes:
    """One card; its quote is fresh on every day but those of `stale`."""
    market = np.array(prices, dtype=float)[:, None]
    fresh = np.isfinite(market)
    fresh[list(stale)] = False
    return TradeQuotes(market, fresh)


def order(
    quotes: TradeQuotes,
    day: int,
    horizon: int = 3,
    sell: tuple[int, ...] = (),
    fees: FeeSchedule = NO_FEES,
    **how: object,
) -> Outcomes:
    marks = np.zeros(quotes.market.shape, dtype=bool)
    marks[list(sell)] = True
    return OrderBook(quotes, fees, horizon, marks).outcomes(np.array([day]), np.array([0]), **how)  # type: ignore[arg-type]


STEPS = card(10, 8, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, stale=(2,))


@pytest.mark.parametrize(
    ("how", "entry_day", "net"),
    [
        (
            {},
            3,
            17 / 12 - 1,
        ),  # signal on 1, stale on 2, filled at 12 on 3, sold from 6 on: median of 15..19
        ({"fill": "same_day"}, 1, 15 / 8 - 1),
        ({"fill": "same_day", "median_exit": False}, 1, 13 / 8 - 1),
    ],
    ids=["next fresh", "same day", "naive"],
)
def test_a_trade_computed_by_hand(how: dict[str, Any], entry_day: int, net: float) -> None:
    made = order(STEPS, 1, **how)
    assert (made.entry_day[0], made.exit_day[0]) == (entry_day, entry_day + 3)
    assert made.net[0] == pytest.approx(net)


def test_fees_are_taken_from_the_sale() -> None:
    assert order(STEPS, 1, fees=TEN_PERCENT).net[0] == pytest.approx((17 * 0.9 - 0.5) / 12 - 1)


def test_no_more_is_lost_than_was_paid() -> None:
    fees = FeeSchedule("fixed", "USD", commission=0.1, fixed=0.3, postage=0.5)
    (made,) = order(card(*[0.05] * 12), 1, fees=fees, fill="same_day").gain
    assert made == pytest.approx(-0.55)


def test_a_buyer_pays_fees_too() -> None:
    fees = FeeSchedule("both", "USD", commission=0.1, buyer_rate=0.05, postage=1.0)
    assert order(STEPS, 1, fees=fees).net[0] == pytest.approx(17 * 0.9 / (12 * 1.05 + 1.0) - 1)


@pytest.mark.parametrize(("horizon", "filled"), [(3, False), (4, True)])
def test_without_a_fresh_quote_within_the_horizon_the_order_lapses(
    horizon: int, filled: bool
) -> None:
    made = order(card(*[10.0] * 20, stale=(1, 2, 3)), 0, horizon)
    assert made.filled[0] == filled
    assert np.isnan(made.net[0]) != filled


@pytest.mark.parametrize(
    ("sell", "filled", "exit_day"),
    [((2,), False, None), ((3,), True, 4), ((4,), True, 5), ((9,), True, 6), ((1,), True, 6)],
    ids=[
        "before the fill",
        "on the day of the fill",
        "while held",
        "too late to matter",
        "not later than the order",
    ],
)
def test_a_sell_signal_cancels_or_closes(
    sell: tuple[int, ...], filled: bool, exit_day: int | None
) -> None:
    made = order(STEPS, 1, sell=sell)
    assert made.filled[0] == filled
    if exit_day is not None:
        assert made.exit_day[0] == exit_day


def test_the_median_exit_ignores_one_absurd_quote_and_missing_days() -> None:
    nan = np.nan
    assert order(card(9, 10, 10, 10, 11, 900, 11, nan, nan, 10), 0).net[0] == pytest.approx(
        11 / 10 - 1
    )
    assert order(card(9, 10, 10, 10, 11, 13, nan, nan, nan, 10), 0).net[0] == pytest.approx(
        12 / 10 - 1
    )


def test_a_halted_card_is_sold_once_it_is_quoted_again() -> None:
    nan = np.nan
    made = order(card(9, 10, 10, 10, nan, nan, nan, nan, nan, nan, 5, 5, 5, 5, 5), 0)
    assert (made.exit_day[0], made.net[0]) == (10, -0.5)


@pytest.mark.parametrize(("days", "finished"), [(8, False), (9, True)])
def test_a_trade_that_outlasts_the_data_is_unfinished(days: int, finished: bool) -> None:
    made = order(card(*[10.0] * days), 0)
    assert made.filled[0]
    assert made.finished[0] == finished
    assert made.end[0] == 1 + 3 + EXIT_DAYS - 1


def test_one_copy_at_a_time() -> None:
    order_book = OrderBook(
        TradeQuotes(np.full((40, 2), 10.0), np.ones((40, 2), dtype=bool)), NO_FEES, 3
    )
    day, which = np.nonzero(np.ones((40, 2), dtype=bool))
    made = order_book.outcomes(day, which)
    taken = made.take(taken_orders(made, 2)[0])
    assert taken.day[taken.card == 0].tolist() == [
        0,
        9,
        18,
        27,
        36,
    ]  # ordered, filled the day after, sold over days 4 to 8
    assert taken.day[taken.card == 1].tolist() == [0, 9, 18, 27, 36]
    assert taken.finished.tolist() == [True] * 8 + [False] * 2


@pytest.mark.parametrize(
    ("low", "paid"), [(1.49, 1.49), (0.40, 0.52), (np.nan, 0.52)], ids=["higher", "lower", "none"]
)
def test_a_copy_costs_the_lowest_ask_if_that_is_higher_than_the_market_price(
    low: float, paid: float
) -> None:
    quotes = card(*[1.0] * 2, *[0.52] * 12)
    asks = np.full(quotes.market.shape, 0.01)
    asks[3] = low
    stale = quotes.fresh.copy()
    stale[2] = False
    made = order(TradeQuotes(quotes.market, stale, asks), 1)
    assert (made.entry_day[0], made.cost[0]) == (3, paid)
    assert made.gain[0] == pytest.approx(0.52 - paid)
    assert made.net[0] == pytest.approx(0.52 / paid - 1)


def test_the_naive_fill_ignores_the_lowest_ask() -> None:
    quotes = TradeQuotes(STEPS.market, STEPS.fresh, np.full(STEPS.market.shape, 100.0))
    assert order(quotes, 1, fill="same_day").cost[0] == 8.0


ALWAYS = TradeQuotes(np.full((40, 6), 10.0), np.ones((40, 6), dtype=bool))


def test_the_capacity_limits_copies_a_day_and_copies_held() -> None:
    day, which = np.nonzero(np.ones((40, 6), dtype=bool))
    made = OrderBook(ALWAYS, NO_FEES, 3).outcomes(day, which)
    rank = made.card[::-1].astype(float)  # the last card first
    taken, refused = taken_orders(made, 6, Capacity(a_day=2, held=3), rank)
    assert made.card[taken][:3].tolist() == [4, 5, 5 - 2]
    entries = np.bincount(made.entry_day[taken])
    assert entries.max() == 2
    for today in range(40):
        assert np.count_nonzero((made.entry_day <= today) & (today <= made.end) & taken) <= 3
    assert not (taken & refused).any()
    assert refused.any()
    everything = taken_orders(made, 6)[0]
    assert np.array_equal(taken_orders(made, 6, Capacity(6, 6), rank)[0], everything)


def test_no_orders() -> None:
    none = np.array([], dtype=np.int64)
    made = OrderBook(STEPS, NO_FEES, 3).outcomes(none, none)
    assert made.net.shape == (0,)
    assert taken_orders(made, 1)[0].shape == (0,)


@st.composite
def markets(draw: st.DrawFn) -> tuple[TradeQuotes, NDArray[np.int64], NDArray[np.int64]]:
    seed, days, cards = (
        draw(st.integers(0, 2**32)),
        draw(st.integers(2, 40)),
        draw(st.integers(1, 6)),
    )
    random = np.random.default_rng(seed)
    market = np.exp(random.standard_normal((days, cards)))
    market[random.random((days, cards)) < 0.15] = np.nan
    fresh = np.isfinite(market) & (random.random((days, cards)) < 0.5)
    day, which = np.nonzero(random.random((days, cards)) < 0.4)
    return TradeQuotes(market, fresh), day, which


@given(markets(), st.integers(1, 10))
def test_outcomes_equal_those_of_a_plain_loop(
    made: tuple[TradeQuotes, NDArray[np.int64], NDArray[np.int64]], horizon: int
) -> None:
    quotes, day, which = made
    got = OrderBook(quotes, TEN_PERCENT, horizon).outcomes(day, which)
    np.testing.assert_allclose(
        got.net, [_plainly(quotes, t, j, horizon) for t, j in zip(day, which, strict=True)]
    )


def _plainly(quotes: TradeQuotes, day: int, which: int, horizon: int) -> float:
    market, days = quotes.market[:, which], len(quotes.market)
    entries = [
        t for t in range(day + 1, min(day + horizon, days - 1) + 1) if quotes.fresh[t, which]
    ]
    if not entries:
        return np.nan
    exits = [t for t in range(entries[0] + horizon, days) if np.isfinite(market[t])]
    if not exits or exits[0] + EXIT_DAYS > days:
        return np.nan
    price = float(np.nanmedian(market[exits[0] : exits[0] + EXIT_DAYS]))
    received = max(float(TEN_PERCENT.proceeds(price)), 0.0)
    return float(received / TEN_PERCENT.cost(market[entries[0]]) - 1)


@given(markets(), st.integers(1, 10))
def test_fills_never_use_the_day_of_the_signal_or_before(
    made: tuple[TradeQuotes, NDArray[np.int64], NDArray[np.int64]], horizon: int
) -> None:
    """Given the signals, the quotes up to the day of the signal do not affect the trade."""
    quotes, day, which = made
    whole = OrderBook(quotes, NO_FEES, horizon).outcomes(day, which)
    last = len(quotes.market) // 2
    rows = day == last
    blurred = quotes.market.copy()
    blurred[: last + 1] *= 7.0
    np.testing.assert_array_equal(
        OrderBook(TradeQuotes(blurred, quotes.fresh), NO_FEES, horizon)
        .outcomes(day, which)
        .net[rows],
        whole.net[rows],
    )


@given(markets(), st.integers(1, 10))
def test_later_quotes_do_not_affect_a_finished_trade(
    made: tuple[TradeQuotes, NDArray[np.int64], NDArray[np.int64]], horizon: int
) -> None:
    quotes, day, which = made
    whole = OrderBook(quotes, NO_FEES, horizon).outcomes(day, which)
    last = len(quotes.market) * 3 // 4
    changed = quotes.market.copy()
    changed[last + 1 :] *= 7.0
    over = whole.finished & (whole.end <= last)
    again = OrderBook(TradeQuotes(changed, quotes.fresh), NO_FEES, horizon).outcomes(day, which)
    np.testing.assert_array_equal(again.net[over], whole.net[over])


def test_arguments_that_do_not_fit_are_refused_with_their_values() -> None:
    with pytest.raises(ValueError, match="horizon must be at least 1 day, got 0"):
        OrderBook(STEPS, NO_FEES, 0)
    with pytest.raises(ValueError, match=r"got \(3, 2\) and \(3, 1\)"):
        TradeQuotes(np.ones((3, 2)), np.ones((3, 1), dtype=bool))
    with pytest.raises(ValueError, match=r"got \(3, 2\) and \(3, 2\) and \(2, 2\)"):
        TradeQuotes(np.ones((3, 2)), np.ones((3, 2), dtype=bool), np.ones((2, 2)))
    with pytest.raises(ValueError, match="at least 1 copy, got 0 a day and 5 held"):
        Capacity(0, 5)
    with pytest.raises(ValueError, match=r"sell must be \(12, 1\).*got \(2, 2\)"):
        OrderBook(STEPS, NO_FEES, 3, np.ones((2, 2), dtype=bool))
