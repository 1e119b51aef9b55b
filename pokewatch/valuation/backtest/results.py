"""The results of a backtest, and their JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pokewatch.valuation.backtest.permutation import RandomTrades
from pokewatch.valuation.backtest.trades import Capacity, Floats, Outcomes

SHAM = (
    "sham: bought at the very quote that gave the signal and sold at a single quote, "
    "which nobody can do"
)


@dataclass(frozen=True, slots=True)
class Trades:
    """The trades of one strategy, one copy each; NaN without trades.

    Net returns are fractions of what a copy cost, with fees and postage; gains and the cost are
    amounts of the currency. `best_share` and `best_three_share` are the parts of all profits,
    losses not deducted, that the most profitable trade and the three most profitable ones made.
    """

    trades: int
    mean_net: float
    median_net: float
    hit_rate: float  # share of trades with a profit
    mean_days_held: float  # from fill to the last day of the exit
    total_cost: float
    total_gain: float
    mean_gain: float
    median_gain: float
    best_share: float
    best_three_share: float


_NO_TRADES = Trades(
    trades=0,
    mean_net=np.nan,
    median_net=np.nan,
    hit_rate=np.nan,
    mean_days_held=np.nan,
    total_cost=0.0,
    total_gain=0.0,
    mean_gain=np.nan,
    median_gain=np.nan,
    best_share=np.nan,
    best_three_share=np.nan,
)


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
    SELL before it, `overlapping` came while the card was ordered or held, `over_capacity` while
    as many copies were bought or held as `capacity` allows, and `unfinished` last beyond the data.
    `asks` is the share of the trades' fills for which the lowest ask is known, NaN without trades.
    """

    policy: str
    fees: str
    currency: str
    postage: float
    horizon: int
    capacity: Capacity
    dates: tuple[str, ...]
    signals: int
    unfilled: int
    overlapping: int
    over_capacity: int
    unfinished: int
    asks: float
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


def summary(outcomes: Outcomes) -> Trades:
    """Return the summary of finished trades."""
    if not len(outcomes.gain):
        return _NO_TRADES
    gain, net = outcomes.gain, outcomes.net
    return Trades(
        trades=len(gain),
        mean_net=float(net.mean()),
        median_net=float(np.median(net)),
        hit_rate=float((gain > 0).mean()),
        mean_days_held=float((outcomes.end - outcomes.entry_day).mean()),
        total_cost=float(outcomes.cost.sum()),
        total_gain=float(gain.sum()),
        mean_gain=float(gain.mean()),
        median_gain=float(np.median(gain)),
        best_share=_share_of_best(gain, 1),
        best_three_share=_share_of_best(gain, 3),
    )


def curve(outcomes: Outcomes, net: Floats, days: int) -> Curve:
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


def _share_of_best(gain: Floats, count: int) -> float:
    profits = np.sort(gain[gain > 0])[::-1]
    return float(profits[:count].sum() / profits.sum()) if len(profits) else np.nan


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value
