"""Trades that follow signals: what a dealer who keeps at most one copy of a card pays, gets and is left with after fees.

A BUY signal of day t is filled at the next *fresh* quote after t, never the same day; without one within `horizon` days, or
when a SELL signal comes first, the order lapses. The copy is sold `horizon` days after the fill, or on the day after a SELL
signal if that is sooner, at the median of the quotes of the five days from then on (selling takes time, and one quote may be
wrong); a card without quotes then is sold once it is quoted again. While a copy is ordered or held, further BUY signals of the
card pass by. A trade that the data do not see to its end is left out and counted as unfinished.
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

Fill = Literal["next_fresh", "next_day", "same_day"]


@dataclass(frozen=True, slots=True)
class TradeQuotes:
    """`market` [d, n], NaN where not quoted; `fresh` [d, n] marks quotes that are new evidence. Days are consecutive."""

    market: Floats
    fresh: Bools

    def __post_init__(self) -> None:
        if self.market.ndim != 2 or self.market.shape != self.fresh.shape:
            raise ValueError(
                f"market and fresh must both be [days, cards], got {self.market.shape} and {self.fresh.shape}"
            )


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What each of m orders came to, [m] each. `net` is the net return on what was paid, NaN where not `filled` or not `finished`.

    `exit_day` is the first day of the exit; a copy is held to the last of its five days, `end`.
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
        """`sell` [d, n] marks SELL signals. Raises ValueError for a horizon under a day or a `sell` of another shape."""
        if horizon < 1:
            raise ValueError(f"horizon must be at least 1 day, got {horizon}")
        if sell is not None and sell.shape != quotes.market.shape:
            raise ValueError(f"sell must be {quotes.market.shape}, as the quotes, got {sell.shape}")
        self._market, self._fees, self._horizon = quotes.market, fees, horizon
        quoted = np.isfinite(quotes.market)
        self._quoted = _Calendar(quoted)
        self._fresh = _Calendar(quotes.fresh & quoted)
        self._sell = None if sell is None else _Calendar(sell)
        self._exit_price = _forward_median(quotes.market)

    def outcomes(
        self, day: Days, card: Days, fill: Fill = "next_fresh", *, median_exit: bool = True
    ) -> Outcomes:
        """What orders given on `day` for `card` [m] came to, each on its own.

        With `median_exit` off the copy is sold at the one quote of the exit day, as naive backtests do.
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
        wanted = day if fill == "same_day" else day + 1
        return np.where(self._quoted.next(card, wanted - 1) == wanted, wanted, _NEVER)

    def _next_sell(self, day: Days, card: Days) -> Days:
        return np.full(len(day), _NEVER) if self._sell is None else self._sell.next(card, day)


def one_at_a_time(outcomes: Outcomes, cards: int) -> Bools:
    """Which filled orders are taken when a card is ordered again only after its copy is sold. Orders must be sorted by day."""
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
    """The days on which something holds for each card, for asking when it next does."""

    def __init__(self, marks: Bools) -> None:
        self._days = marks.shape[0]
        self._keys = np.flatnonzero(marks.T.ravel())  # card x days + day, in order

    def next(self, card: Days, after: Days) -> Days:
        """The first marked day later than `after` [m], `_NEVER` where there is none."""
        first = card * self._days
        place = np.searchsorted(self._keys, first + after, side="right")
        found = np.append(self._keys, _NEVER)[place] - first
        return np.where(found < self._days, found, _NEVER)


def _forward_median(market: Floats) -> Floats:
    """Median of the quotes of the EXIT_DAYS days from each day on [d, n], NaN where there is none."""
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
