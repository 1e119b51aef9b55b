"""Trades that follow signals, for a dealer who holds at most one copy of a card, after fees.

A BUY signal of day t is filled at the next *fresh* quote after t, never on the same day. The order
lapses without a fresh quote within `horizon` days, or if a SELL signal comes first. The copy is
sold `horizon` days after the fill, or on the day after a SELL signal if that is sooner, at the
median quote of the five days from then on: selling takes time, and one quote may be wrong. A card
without quotes then is sold once it is quoted again. While a copy is ordered or held, further BUY
signals for the card are ignored. A trade that does not finish within the data is left out and
counted as unfinished.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pokewatch.decision import FeeSchedule

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Days = NDArray[np.int64]

EXIT_DAYS = 5
_NEVER = np.iinfo(np.int64).max // 4

Fill = Literal["next_fresh", "same_day"]


@dataclass(frozen=True, slots=True)
class TradeQuotes:
    """Quotes of consecutive days. Raise ValueError for arrays of different shapes.

    `market` [d, n] is NaN where there is no quote; `fresh` [d, n] marks quotes that are new
    evidence.
    """

    market: Floats
    fresh: Bools

    def __post_init__(self) -> None:
        if self.market.ndim != 2 or self.market.shape != self.fresh.shape:
            raise ValueError(
                "market and fresh must both be [days, cards], "
                f"got {self.market.shape} and {self.fresh.shape}"
            )


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The outcomes of m orders, [m] each.

    `net` is the net return as a fraction of the price paid, NaN where not `filled` or not
    `finished`. `exit_day` is the first of the five days of the exit, `end` the last: the copy is
    held until then.
    """

    day: Days
    card: Days
    entry_day: Days
    exit_day: Days
    net: Floats
    filled: Bools
    finished: Bools

    @property
    def end(self) -> Days:
        return self.exit_day + EXIT_DAYS - 1

    def take(self, rows: NDArray[np.bool_] | Days) -> "Outcomes":
        days = (self.day[rows], self.card[rows], self.entry_day[rows], self.exit_day[rows])
        return Outcomes(*days, self.net[rows], self.filled[rows], self.finished[rows])


class OrderBook:
    """Fills orders against quotes, under a fee schedule."""

    def __init__(
        self, quotes: TradeQuotes, fees: FeeSchedule, horizon: int, sell: Bools | None = None
    ) -> None:
        """Take quotes, and SELL signals as a mask [d, n].

        Raise ValueError for a horizon below 1 or a `sell` of another shape.
        """
        if horizon < 1:
            raise ValueError(f"horizon must be at least 1 day, got {horizon}")
        if sell is not None and sell.shape != quotes.market.shape:
            raise ValueError(
                f"sell must be {quotes.market.shape}, the shape of the quotes, got {sell.shape}"
            )
        self._market, self._fees, self._horizon = quotes.market, fees, horizon
        quoted = np.isfinite(quotes.market)
        self._quoted = _Calendar(quoted)
        self._fresh = _Calendar(quotes.fresh & quoted)
        self._sell = None if sell is None else _Calendar(sell)
        self._exit_price = _forward_median(quotes.market)

    def outcomes(
        self, day: Days, card: Days, fill: Fill = "next_fresh", *, median_exit: bool = True
    ) -> Outcomes:
        """Return the outcomes of orders given on `day` for `card` [m], each by itself.

        Without `median_exit` the copy is sold at the single quote of the exit day, as in naive
        backtests.
        """
        days = len(self._market)
        entry = self._entry(day, card, fill)
        sold = self._next_sell(day, card)
        filled = (entry <= day + self._horizon) & (entry < days) & (sold >= entry)
        entry = np.where(filled, entry, 0)
        due = np.minimum(entry + self._horizon, self._next_sell(entry - 1, card) + 1)
        leave = self._quoted.next(card, np.minimum(due, days) - 1)
        finished = filled & (leave + EXIT_DAYS <= days)
        at = np.where(finished, leave, 0)
        price = np.where(median_exit, self._exit_price[at, card], self._market[at, card])
        with np.errstate(invalid="ignore"):
            net = self._fees.proceeds(price) / self._fees.cost(self._market[entry, card]) - 1.0
        return Outcomes(
            day,
            card,
            entry,
            np.where(filled, leave, _NEVER),
            np.where(finished, net, np.nan),
            filled,
            finished,
        )

    def _entry(self, day: Days, card: Days, fill: Fill) -> Days:
        if fill == "next_fresh":
            return self._fresh.next(card, day)
        return np.where(self._quoted.next(card, day - 1) == day, day, _NEVER)

    def _next_sell(self, day: Days, card: Days) -> Days:
        return np.full(len(day), _NEVER) if self._sell is None else self._sell.next(card, day)


def one_at_a_time(outcomes: Outcomes, cards: int) -> Bools:
    """Return which filled orders [m] are taken if at most one copy of a card is held.

    Orders must be sorted by day.
    """
    taken = np.zeros(len(outcomes.day), dtype=np.bool_)
    free_from = np.zeros(cards, dtype=np.int64)
    starts = np.flatnonzero(np.diff(outcomes.day, prepend=-1))
    for start, stop in zip(starts, np.append(starts, len(taken))[1:], strict=True):
        rows = np.arange(start, stop)
        rows = rows[outcomes.filled[rows] & (free_from[outcomes.card[rows]] <= outcomes.day[rows])]
        taken[rows] = True
        free_from[outcomes.card[rows]] = outcomes.end[rows] + 1
    return taken


class _Calendar:
    """The marked days of each card, searchable for the next one."""

    def __init__(self, marks: Bools) -> None:
        self._days = marks.shape[0]
        self._keys = np.flatnonzero(marks.T.ravel())  # card x days + day, in order

    def next(self, card: Days, after: Days) -> Days:
        """Return the first marked day later than `after` [m], `_NEVER` where there is none."""
        first = card * self._days
        place = np.searchsorted(self._keys, first + after, side="right")
        found = np.append(self._keys, _NEVER)[place] - first
        return np.where(found < self._days, found, _NEVER)


def _forward_median(market: Floats) -> Floats:
    """Return the median quote of the EXIT_DAYS days from each day on [d, n], or NaN."""
    days = len(market)
    medians = np.full(market.shape, np.nan)
    for day in range(days):
        window = np.sort(market[day : day + EXIT_DAYS], axis=0)  # NaN sorts last
        count = np.isfinite(window).sum(axis=0)
        low, high = np.maximum(count - 1, 0) // 2, count // 2
        columns = np.arange(market.shape[1])
        medians[day] = 0.5 * (
            window[low, columns] + window[np.minimum(high, len(window) - 1), columns]
        )
    return medians
