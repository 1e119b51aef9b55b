"""Price indices of a book: of all cards, and of the cards of one set."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BASE = 100.0
MAX_RETURN = 0.2  # of one card in one step: a single wrong quote cannot move the index further
_ROWS = 4_096  # cards decoded at a time


class PriceMatrix:
    """Prices of a book as stored, [cards, days], decoded a few cards at a time."""

    def __init__(self, stored: NDArray[Any], decode: Callable[[NDArray[Any]], Floats]) -> None:
        self._stored = stored
        self._decode = decode
        self.cards, self.days = stored.shape

    def decode(self, rows: NDArray[np.intp]) -> Floats:
        """Return the prices of the cards at `rows`, NaN where there is none."""
        return self._decode(self._stored[rows])

    def on(self, day: int) -> Floats:
        """Return the price of every card on the day with this index."""
        return self._decode(self._stored[:, day])


def chained_index(prices: PriceMatrix, rows: NDArray[np.intp] | None = None) -> Floats:
    """Return the index of each day, [days]: 100 on the first.

    Each step is the mean return of the cards quoted on both days, weighted by their price on the
    earlier one, so that the index follows the cost of one copy of every card. Cards that appear or
    vanish do not move it. Returns are limited to `MAX_RETURN` either way. A step without such cards
    leaves the index unchanged. A chained Laspeyres index (ILO, "Consumer Price Index Manual", 2020,
    chapter 9).
    """
    days = prices.days
    gain, weight = np.zeros(max(days - 1, 0)), np.zeros(max(days - 1, 0))
    selected = np.arange(prices.cards) if rows is None else rows
    for start in range(0, len(selected), _ROWS):
        values = prices.decode(selected[start : start + _ROWS])
        before, after = values[:, :-1], values[:, 1:]
        both = np.isfinite(before) & np.isfinite(after) & (before > 0)
        value = np.where(both, before, 0.0)
        change = np.where(both, after, 0.0) - value
        bound = MAX_RETURN * value
        gain += np.clip(change, -bound, bound).sum(axis=0)
        weight += value.sum(axis=0)
    step = 1.0 + np.divide(gain, weight, out=np.zeros_like(gain), where=weight > 0)
    return BASE * np.concatenate(([1.0], np.cumprod(step)))
