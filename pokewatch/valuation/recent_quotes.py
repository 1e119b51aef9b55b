"""The last quotes of every card over the last days, and how they moved."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.panel import Floats


class RecentQuotes:
    """The log of each card's last quote, today and on the `days` days before; NaN before the first.

    Their moves from day to day are computed once, when a day is added.
    """

    def __init__(self, cards: int, days: int) -> None:
        self._lasts: deque[Floats] = deque(maxlen=days + 1)
        self._moves: deque[Floats] = deque(maxlen=days)  # absolute, 0 before the first quote
        self._quoted_days = np.zeros(cards, dtype=np.int64)  # since the first quote

    def append(self, last: Floats) -> None:
        """Add a day with the last quotes [n] on it."""
        if self._lasts:
            move = np.abs(last - self._lasts[-1])
            move[np.isnan(move)] = 0.0
            self._moves.append(move)
        self._lasts.append(last)
        self._quoted_days += np.isfinite(last)

    def undo(self, card: int, days: int, last: float) -> None:
        """Replace the quotes of a card on the last `days` days by `last`."""
        for back in range(1, min(days, len(self._lasts)) + 1):
            self._lasts[-back][card] = last
        for back in range(1, min(days, len(self._moves)) + 1):
            self._moves[-back][card] = abs(self._lasts[-back][card] - self._lasts[-back - 1][card])

    def before(self, days: int) -> Floats:
        """Return the last quotes [n] of `days` days ago, or of the first day since."""
        return self._lasts[max(-1 - days, -len(self._lasts))]

    def mean_price(self, days: int) -> Floats:
        """Return the mean last price [n] of the last `days` days; NaN before the first quote."""
        prices = np.exp([self.before(back) for back in self._back(days)])
        known = np.isfinite(prices)
        return _ratio(np.where(known, prices, 0.0).sum(axis=0), known.sum(axis=0))

    def median(self, days: int) -> Floats:
        """Return the median log quote [n] of the last `days` days; NaN before the first one."""
        ordered = np.sort([self.before(back) for back in self._back(days)], axis=0)
        median: Floats = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
        # NaN is sorted to the end.
        cards = np.flatnonzero(np.isnan(ordered[-1]))
        count = np.isfinite(ordered[:, cards]).sum(axis=0)
        low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(ordered) - 1)
        median[cards] = (ordered[low, cards] + ordered[high, cards]) / 2
        return median

    def volatility(self) -> Floats:
        """Return the mean absolute move [n] in a day; NaN where none is known, 0 on the first."""
        if not self._moves:
            return np.zeros(len(self._quoted_days))
        total = np.zeros(len(self._quoted_days))
        for move in self._moves:
            total += move
        return _ratio(total, np.clip(self._quoted_days - 1, 0, len(self._moves)))

    def _back(self, days: int) -> range:
        """Return how many days ago each of the last `days` days was, the earliest first."""
        return range(min(days, len(self._lasts)) - 1, -1, -1)


def _ratio(total: Floats, count: NDArray[np.int64]) -> Floats:
    mean: Floats = total / np.where(count, count, np.nan)
    return mean
