"""Trades that follow signals, for a dealer who holds at most one copy of a card, after fees.

A BUY signal of day t is filled at the next *fresh* quote after t, never on the same day, at the
market price or at the lowest ask, whichever is higher: nobody sells below the lowest ask. The order
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
    evidence. `low` [d, n] is the lowest ask, NaN where unknown, or None. `volatility` [d, n] is
    the deviation of daily log moves as known on the day, or None.
    """

    market: Floats
    fresh: Bools
    low: Floats | None = None
    volatility: Floats | None = None

    def __post_init__(self) -> None:
        shapes = [
            array.shape
            for array in (self.market, self.fresh, self.low, self.volatility)
            if array is not None
        ]
        if self.market.ndim != 2 or len(set(shapes)) > 1:
            raise ValueError(
                "the quotes must all be [days, cards], got " + " and ".join(map(str, shapes))
            )

    def purchase_prices(self) -> Floats:
        """Return what a copy costs [d, n]: the market price, or the lowest ask if higher."""
        return self.market if self.low is None else np.fmax(self.market, self.low)


@dataclass(frozen=True, slots=True)
class Capacity:
    """The most copies a dealer buys in one day, and the most held at once.

    Raise ValueError for less than 1.
    """

    a_day: int = 10
    held: int = 100

    def __post_init__(self) -> None:
        if min(self.a_day, self.held) < 1:
            raise ValueError(
                f"the capacity must be at least 1 copy, got {self.a_day} a day and {self.held} held"
            )


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The outcomes of m orders, [m] each.

    `cost` is what buying took, fees and postage included, and `gain` is what the sale left of it,
    both in the currency of the quotes; `gain` is NaN where not `filled` or not `finished`, and
    `cost` where not `filled`. `exit_day` is the first of the five days of the exit, `end` the last:
    the copy is held until then. An order is `awaited` if it may still be filled after the data.
    """

    day: Days
    card: Days
    entry_day: Days
    exit_day: Days
    cost: Floats
    gain: Floats
    filled: Bools
    awaited: Bools
    finished: Bools

    @property
    def net(self) -> Floats:
        """The net return, as a fraction of the cost."""
        return self.gain / self.cost

    @property
    def end(self) -> Days:
        return self.exit_day + EXIT_DAYS - 1

    def take(self, rows: NDArray[np.bool_] | Days) -> "Outcomes":
        return Outcomes(*(getattr(self, name)[rows] for name in Outcomes.__slots__))


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
        self._purchase_prices = quotes.purchase_prices()
        quoted = np.isfinite(quotes.market)
        self._quoted = _Calendar(quoted)
        self._fresh = _Calendar(quotes.fresh & quoted)
        self._sell = None if sell is None else _Calendar(sell)
        self._exit_price = _forward_median(quotes.market)

    def outcomes(
        self, day: Days, card: Days, fill: Fill = "next_fresh", *, median_exit: bool = True
    ) -> Outcomes:
        """Return the outcomes of orders given on `day` for `card` [m], each by itself.

        As in naive backtests, `same_day` fills at the market price of `day`, and without
        `median_exit` the copy is sold at the single quote of the exit day.
        """
        days = len(self._market)
        entry = self._entry(day, card, fill)
        sold = self._next_sell(day, card)
        filled = (entry <= day + self._horizon) & (entry < days) & (sold >= entry)
        awaited = (np.minimum(entry, sold) >= days) & (day + self._horizon >= days)
        entry = np.where(filled, entry, 0)
        due = np.minimum(entry + self._horizon, self._next_sell(entry - 1, card) + 1)
        leave = self._quoted.next(card, np.minimum(due, days) - 1)
        finished = filled & (leave + EXIT_DAYS <= days)
        at = np.where(finished, leave, 0)
        price = np.where(median_exit, self._exit_price[at, card], self._market[at, card])
        paid = (self._purchase_prices if fill == "next_fresh" else self._market)[entry, card]
        cost = np.where(filled, self._fees.cost(paid), np.nan)
        # A copy whose fees exceed its price is kept, and worth nothing, as in a collection.
        received = np.maximum(self._fees.proceeds(price), 0.0)
        return Outcomes(
            day,
            card,
            entry,
            np.where(filled, leave, _NEVER),
            cost,
            np.where(finished, received - cost, np.nan),
            filled,
            awaited,
            finished,
        )

    def _entry(self, day: Days, card: Days, fill: Fill) -> Days:
        if fill == "next_fresh":
            return self._fresh.next(card, day)
        return np.where(self._quoted.next(card, day - 1) == day, day, _NEVER)

    def _next_sell(self, day: Days, card: Days) -> Days:
        return np.full(len(day), _NEVER) if self._sell is None else self._sell.next(card, day)


def taken_orders(
    outcomes: Outcomes, cards: int, capacity: Capacity | None = None, rank: Floats | None = None
) -> tuple[Bools, Bools]:
    """Return which filled orders [m] are taken, and which are not for lack of capacity.

    At most one copy of a card is held. Orders must be sorted by day. With a `capacity`, the orders
    that are filled on one day are taken from the lowest `rank` [m] on until it is used up.
    """
    taken, refused = (np.zeros(len(outcomes.day), dtype=np.bool_) for _ in range(2))
    free_from = np.zeros(cards, dtype=np.int64)
    filled = np.flatnonzero(outcomes.filled)
    filled = filled[np.argsort(outcomes.entry_day[filled], kind="stable")]
    for same_day in np.split(filled, np.flatnonzero(np.diff(outcomes.entry_day[filled])) + 1):
        rows = same_day[free_from[outcomes.card[same_day]] <= outcomes.day[same_day]]
        rows = rows[np.sort(np.unique(outcomes.card[rows], return_index=True)[1])]
        if capacity is not None and len(rows):
            held = np.count_nonzero(outcomes.end[taken] >= outcomes.entry_day[rows[0]])
            room = max(0, min(capacity.a_day, capacity.held - held))
            order = np.arange(len(rows)) if rank is None else np.argsort(rank[rows], kind="stable")
            refused[rows[order[room:]]] = True
            rows = rows[order[:room]]
        taken[rows] = True
        free_from[outcomes.card[rows]] = outcomes.end[rows] + 1
    return taken, refused


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
