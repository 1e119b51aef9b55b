"""Backtests: the return of following signals after fees, against buying everything or at random.

Orders are filled and closed by the rules of `trades`, and tested against chance by `permutation`.
The naive backtest, which buys at the quote that gave the signal, is reported beside the result and
labelled a sham: it turns noise into profit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pokewatch.decision import BUY, POLICIES, SELL, FeeSchedule, Policy, Thresholds, decide
from pokewatch.valuation.backtest.permutation import random_trades
from pokewatch.valuation.backtest.results import Backtest, curve, summary
from pokewatch.valuation.backtest.trades import (
    Bools,
    Capacity,
    Days,
    Floats,
    OrderBook,
    Outcomes,
    TradeQuotes,
    taken_orders,
)

Codes = NDArray[np.int8]

DEFAULT_CAPACITY = Capacity()
NOT_VALUED, HOLD_CODE, BUY_CODE, SELL_CODE = range(4)


@dataclass(frozen=True, slots=True)
class DailyEstimates:
    """A model's fair prices and intervals by day, [d, n].

    `fair` is NaN where there is none; `ok` is False where the status does not allow a trade.
    """

    fair: Floats
    lower: Floats
    upper: Floats
    ok: Bools


def signal_codes(
    market: Floats,
    estimates: DailyEstimates,
    policy: Policy = "threshold",
    fees: FeeSchedule | None = None,
    thresholds: Thresholds | None = None,
) -> Codes:
    """Return the signals [d, n] of a policy as codes; NOT_VALUED without a price or fair price."""
    codes = np.full(market.shape, NOT_VALUED, dtype=np.int8)
    for day in range(len(market)):
        known = np.flatnonzero(np.isfinite(market[day]) & np.isfinite(estimates.fair[day]))
        prices = (
            values[day, known]
            for values in (market, estimates.fair, estimates.lower, estimates.upper)
        )
        signal = decide(
            *prices, thresholds=thresholds or Thresholds(), policy=policy, fees=fees
        ).signal
        tradable = estimates.ok[day, known]
        codes[day, known] = np.where(
            tradable & (signal == BUY),
            BUY_CODE,
            np.where(tradable & (signal == SELL), SELL_CODE, HOLD_CODE),
        )
    return codes


def compare_policies(
    dates: NDArray[np.datetime64],
    quotes: TradeQuotes,
    estimates: DailyEstimates,
    fees: FeeSchedule,
    horizon: int,
    *,
    policies: Sequence[Policy] = POLICIES,
    thresholds: Thresholds | None = None,
    capacity: Capacity = DEFAULT_CAPACITY,
    draws: int = 999,
    seed: int = 0,
) -> list[Backtest]:
    """Return one backtest for each policy, in order, on the same days, quotes and estimates.

    Raise ValueError for an unknown policy or a horizon below 1.
    """
    results = []
    for policy in policies:
        signals = signal_codes(quotes.market, estimates, policy, fees, thresholds)
        results.append(
            backtest(
                dates,
                quotes,
                signals,
                fees,
                horizon,
                policy=policy,
                rank=quotes.market / estimates.fair,
                capacity=capacity,
                draws=draws,
                seed=seed,
            )
        )
    return results


def backtest(
    dates: NDArray[np.datetime64],
    quotes: TradeQuotes,
    signals: Codes,
    fees: FeeSchedule,
    horizon: int,
    *,
    policy: str = "threshold",
    rank: Floats | None = None,
    capacity: Capacity = DEFAULT_CAPACITY,
    draws: int = 999,
    seed: int = 0,
) -> Backtest:
    """Return the result of following `signals` [d, n] (codes) over `dates` [d], consecutive days.

    If more orders are filled than the capacity allows, those of the lowest `rank` [d, n] are taken.
    Buying everything orders every valued card, without a limit, and holds it to the horizon. Random
    trades are among the cards valued the same day whose trade finishes. Raise ValueError for arrays
    of different shapes or a horizon below 1.
    """
    _check_shapes(dates, quotes, signals)
    cards = signals.shape[1]
    order_book = OrderBook(quotes, fees, horizon, sell=signals == SELL_CODE)
    orders = order_book.outcomes(*_where(signals == BUY_CODE))
    ranks = None if rank is None else rank[orders.day, orders.card]
    taken, refused = taken_orders(orders, cards, capacity, ranks)
    followed = orders.take(taken & orders.finished)
    pool = order_book.outcomes(*_where(signals != NOT_VALUED))
    random, expected = random_trades(followed, pool.take(pool.finished), quotes, draws, seed)
    everything = _finished(OrderBook(quotes, fees, horizon).outcomes(pool.day, pool.card), cards)
    sham = order_book.outcomes(orders.day, orders.card, "same_day", median_exit=False)
    return Backtest(
        policy=policy,
        fees=fees.name,
        currency=fees.currency,
        postage=fees.postage,
        horizon=horizon,
        capacity=capacity,
        dates=tuple(np.datetime_as_string(dates, unit="D").tolist()),
        **_counts(orders, taken, refused),
        asks=_known_asks(followed, quotes),
        followed=summary(followed),
        buy_everything=summary(everything),
        random=random,
        curve=curve(followed, followed.net, len(dates)),
        buy_everything_curve=curve(everything, everything.net, len(dates)),
        random_curve=curve(followed, expected, len(dates)),
        sham_same_day=summary(_finished(sham, cards)),
    )


def _check_shapes(dates: NDArray[np.datetime64], quotes: TradeQuotes, signals: Codes) -> None:
    if signals.shape != quotes.market.shape or len(dates) != len(signals):
        raise ValueError(
            f"signals must be {quotes.market.shape} on {len(dates)} dates, got {signals.shape}"
        )


def _counts(orders: Outcomes, taken: Bools, refused: Bools) -> dict[str, int]:
    """Return the number of orders, and of those that were not completed, by the reason."""
    return {
        "signals": len(orders.day),
        "unfilled": int((~orders.filled & ~orders.awaited).sum()),
        "overlapping": int((orders.filled & ~taken & ~refused).sum()),
        "over_capacity": int(refused.sum()),
        "unfinished": int((orders.awaited | (taken & ~orders.finished)).sum()),
    }


def _where(marks: Bools) -> tuple[Days, Days]:
    day, card = np.nonzero(marks)
    return day, card


def _known_asks(followed: Outcomes, quotes: TradeQuotes) -> float:
    if not len(followed.day):
        return np.nan
    if quotes.low is None:
        return 0.0
    return float(np.isfinite(quotes.low[followed.entry_day, followed.card]).mean())


def _finished(orders: Outcomes, cards: int) -> Outcomes:
    """Return the trades of orders, without a limit, that finish."""
    return orders.take(taken_orders(orders, cards)[0] & orders.finished)
