"""Price indices of a book: of all cards, and of the cards of one set."""

from collections.abc import Callable, Sequence
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
    vanish do not move it. Returns are limited to `MAX_RETURN` either way. Steps are from one day
    with prices to the next: on days without any, the index stays. A step without cards that are
    quoted on both leaves it unchanged. A chained Laspeyres index (ILO, "Consumer Price Index
    Manual", 2020, chapter 9).
    """
    selected = np.arange(prices.cards) if rows is None else rows
    blocks = [selected[start : start + _ROWS] for start in range(0, len(selected), _ROWS)]
    quoted = _quoted_days(prices, blocks)
    gain, weight = (np.zeros(max(len(quoted) - 1, 0)) for _ in range(2))
    for block in blocks:
        values = prices.decode(block)
        values = values if len(quoted) == prices.days else values[:, quoted]
        before, after = values[:, :-1], values[:, 1:]
        both = np.isfinite(before) & np.isfinite(after) & (before > 0)
        value = np.where(both, before, 0.0)
        change = np.where(both, after, 0.0) - value
        bound = MAX_RETURN * value
        gain += np.clip(change, -bound, bound).sum(axis=0)
        weight += value.sum(axis=0)
    step = 1.0 + np.divide(gain, weight, out=np.zeros_like(gain), where=weight > 0)
    levels = np.concatenate(([1.0], np.cumprod(step)))
    last_quoted = np.searchsorted(quoted, np.arange(prices.days), side="right") - 1
    return BASE * levels[np.maximum(last_quoted, 0)]


def _quoted_days(prices: PriceMatrix, blocks: Sequence[NDArray[np.intp]]) -> NDArray[np.intp]:
    """Return the days on which any card of the blocks has a price."""
    quoted = np.zeros(prices.days, dtype=np.bool_)
    for block in blocks:
        quoted |= np.isfinite(prices.decode(block)).any(axis=0)
        if quoted.all():
            break
    return np.flatnonzero(quoted)
