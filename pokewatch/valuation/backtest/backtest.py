"""Backtests: the return of following signals after fees, against buying everything or at random.

Orders are filled and closed by the rules of `trades`. The naive backtest, which buys at the quote
that gave the signal, is reported beside the result and labelled a sham: it turns noise into profit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.decision import BUY, POLICIES, SELL, FeeSchedule, Policy, Thresholds, decide
from pokewatch.valuation.backtest.trades import (
    Bools,
    Days,
    Floats,
    OrderBook,
    Outcomes,
    TradeQuotes,
    one_at_a_time,
)

Codes = NDArray[np.int8]

NOT_VALUED, HOLD_CODE, BUY_CODE, SELL_CODE = range(4)

SHAM = (
    "sham: bought at the very quote that gave the signal and sold at a single quote, "
    "which nobody can do"
)


@dataclass(frozen=True, slots=True)
class Trades:
    """The trades of one strategy. Returns are fractions of the price paid; NaN without trades."""

    trades: int
    mean_net: float
    median_net: float
    hit_rate: float  # share of trades with a profit
    mean_days_held: float  # from fill to the last day of the exit


@dataclass(frozen=True, slots=True)
class RandomTrades:
    """As many trades on the same days, of cards drawn among all those valued that day."""

    draws: int
    mean_net: float
    low: float  # 5% and 95% quantiles of the mean of a draw
    high: float
    p_value: float  # probability that a random draw earns at least as much as the signals


@dataclass(frozen=True, slots=True)
class Curve:
    """Equity by day, starting at 1.

    Every trade is given the same share of it, so that it is fully invested on the busiest day.
    """

    equity: tuple[float, ...]
    max_drawdown: float  # largest fall from an earlier peak, as a fraction of it


@dataclass(frozen=True, slots=True)
class Backtest:
    """The result of one policy.

    `signals` is the number of BUY signals. Of these, `unfilled` had no fresh quote in time or a
    SELL before it, `overlapping` came while the card was ordered or held, and `unfinished` last
    beyond the data.
    """

    policy: str
    fees: str
    currency: str
    horizon: int
    dates: tuple[str, ...]
    signals: int
    unfilled: int
    overlapping: int
    unfinished: int
    followed: Trades
    buy_everything: Trades
    random: RandomTrades
    curve: Curve
    buy_everything_curve: Curve
    random_curve: Curve
    sham_same_day: Trades

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, with NaN as None and a label on the sham."""
        plain: dict[str, Any] = _without_nan(asdict(self))
        plain["sham_same_day"]["label"] = SHAM
        return plain


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
    draws: int = 200,
    seed: int = 0,
) -> list[Backtest]:
    """Return one backtest for each policy, in order, on the same days, quotes and estimates.

    Raise ValueError for an unknown policy or a horizon below 1.
    """
    results = []
    for policy in policies:
        signals = signal_codes(quotes.market, estimates, policy, fees, thresholds)
        results.append(
            backtest(dates, quotes, signals, fees, horizon, policy=policy, draws=draws, seed=seed)
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
    draws: int = 200,
    seed: int = 0,
) -> Backtest:
    """Return the result of following `signals` [d, n] (codes) over `dates` [d], consecutive days.

    Buying everything orders every valued card whenever none is held, and holds it to the horizon.
    Random signals move each BUY to a card drawn, without replacement, among those valued the same
    day whose trade finishes; SELL signals stay. Raise ValueError for arrays of different shapes or
    a horizon below 1.
    """
    _check_shapes(dates, quotes, signals)
    cards = signals.shape[1]
    order_book = OrderBook(quotes, fees, horizon, sell=signals == SELL_CODE)
    orders = order_book.outcomes(*_where(signals == BUY_CODE))
    taken = one_at_a_time(orders, cards)
    awaited = ~orders.filled & (orders.day + horizon >= len(dates))
    followed = orders.take(taken & orders.finished)
    pool = order_book.outcomes(*_where(signals != NOT_VALUED))
    everything = OrderBook(quotes, fees, horizon).outcomes(pool.day, pool.card)
    everything = everything.take(one_at_a_time(everything, cards) & everything.finished)
    sham = order_book.outcomes(orders.day, orders.card, "same_day", median_exit=False)
    sham = sham.take(one_at_a_time(sham, cards) & sham.finished)
    pools = _by_day(pool.take(pool.finished), len(dates))
    expected = np.array([net.mean() if len(net) else np.nan for net in pools])
    return Backtest(
        policy=policy,
        fees=fees.name,
        currency=fees.currency,
        horizon=horizon,
        dates=tuple(np.datetime_as_string(dates, unit="D").tolist()),
        signals=len(orders.day),
        unfilled=int((~orders.filled & ~awaited).sum()),
        overlapping=int((orders.filled & ~taken).sum()),
        unfinished=int((awaited | (taken & ~orders.finished)).sum()),
        followed=_summary(followed),
        buy_everything=_summary(everything),
        random=_random(followed, pools, draws, np.random.default_rng(seed)),
        curve=_curve(followed, followed.net, len(dates)),
        buy_everything_curve=_curve(everything, everything.net, len(dates)),
        random_curve=_curve(followed, expected[followed.day], len(dates)),
        sham_same_day=_summary(sham),
    )


def _check_shapes(dates: NDArray[np.datetime64], quotes: TradeQuotes, signals: Codes) -> None:
    if signals.shape != quotes.market.shape or len(dates) != len(signals):
        raise ValueError(
            f"signals must be {quotes.market.shape} on {len(dates)} dates, got {signals.shape}"
        )


def _where(marks: Bools) -> tuple[Days, Days]:
    day, card = np.nonzero(marks)
    return day, card


def _summary(outcomes: Outcomes) -> Trades:
    if not len(outcomes.net):
        return Trades(0, np.nan, np.nan, np.nan, np.nan)
    held = outcomes.end - outcomes.entry_day
    return Trades(
        len(outcomes.net),
        float(outcomes.net.mean()),
        float(np.median(outcomes.net)),
        float((outcomes.net > 0).mean()),
        float(held.mean()),
    )


def _by_day(outcomes: Outcomes, days: int) -> list[Floats]:
    """Return the net returns of the finished orders by day; orders are sorted by day."""
    return np.split(outcomes.net, np.searchsorted(outcomes.day, np.arange(1, days)))


def _random(
    followed: Outcomes, pools: list[Floats], draws: int, random: np.random.Generator
) -> RandomTrades:
    """Return the mean net return of random draws, and the p-value of a permutation test.

    It is (1 + draws at least as good) / (1 + draws): Davison and Hinkley, "Bootstrap Methods and
    their Application", 1997, 4.2.
    """
    if not len(followed.net) or draws < 1:
        return RandomTrades(draws, np.nan, np.nan, np.nan, np.nan)
    counts = np.bincount(followed.day, minlength=len(pools))
    totals = np.zeros(draws)
    for day in np.flatnonzero(counts):
        pool, count = pools[day], int(counts[day])
        totals += [
            pool[random.choice(len(pool), count, replace=False, shuffle=False)].sum()
            for _ in range(draws)
        ]
    means = totals / len(followed.net)
    low, high = np.quantile(means, [0.05, 0.95])
    as_good = int((means >= followed.net.mean() - 1e-12).sum())
    return RandomTrades(
        draws, float(means.mean()), float(low), float(high), (1 + as_good) / (1 + draws)
    )


def _curve(outcomes: Outcomes, net: Floats, days: int) -> Curve:
    """Return the curve of trades paid for on entry and booked on the last day of the exit."""
    if not len(net):
        return Curve((1.0,) * days, 0.0)
    opened = np.bincount(outcomes.entry_day, minlength=days + 1) - np.bincount(
        outcomes.end + 1, minlength=days + 1
    )
    share = 1.0 / np.cumsum(opened).max()
    gains = np.bincount(outcomes.end, weights=net, minlength=days)[:days]
    equity = np.cumprod(np.maximum(1.0 + share * gains, 0.0))
    peak = np.maximum(np.maximum.accumulate(equity), 1.0)
    return Curve(tuple(equity.tolist()), float((1.0 - equity / peak).max()))


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value
