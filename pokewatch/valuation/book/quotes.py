"""The values of cards as a book returns them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.decision import LEVELS, Distribution

Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]

LOGARITHMS = len(LEVELS)  # of a distribution: the last values of its row


@dataclass(frozen=True, slots=True)
class BookQuotes:
    """The values of n cards, each on one day.

    `position` is the index of the card in the book, -1 if unknown; `date` is the day of the values,
    NaT if there is none. Prices are NaN where there is none. `status` is text: one of STATUSES, or
    `unknown_date` for a day before the book's first. `distribution` [n, WIDTH] are rows of
    `Distribution.to_array`, rounded to six digits: what is sent of them is short.
    """

    position: NDArray[np.intp]
    date: Dates
    market: Floats
    low: Floats
    fair: Floats
    lower: Floats
    upper: Floats
    status: NDArray[np.object_]
    distribution: Floats

    def scaled(self, factor: float | Floats) -> "BookQuotes":
        """Return the quotes with market and fair prices times `factor`, one or one per card."""
        scaled = Distribution.from_array(self.distribution).scaled(factor).to_array()
        return replace(
            self,
            market=self.market * factor,
            fair=self.fair * factor,
            lower=self.lower * factor,
            upper=self.upper * factor,
            distribution=np.where(np.equal(factor, 1.0)[..., None], self.distribution, scaled),
        )


_DECIMALS = 1e5


class CompactDistributions:
    """Rows of `Distribution.to_array`, whose logarithms take half the memory.

    They have five decimals, so times 100,000 they are whole numbers, which float32 has up to 2^24:
    for logarithms up to 167. Larger ones stay as they are.
    """

    def __init__(self, rows: Floats) -> None:
        self._firsts, logs = rows[:, :-LOGARITHMS].copy(), rows[:, -LOGARITHMS:]
        self._logs: NDArray[Any] = np.rint(logs * _DECIMALS).astype(np.float32)
        self._scale = _DECIMALS
        if not np.array_equal(self.take(slice(None))[:, -LOGARITHMS:], logs, equal_nan=True):
            self._logs, self._scale = logs.copy(), 1.0

    def take(self, rows: NDArray[np.intp] | slice) -> Floats:
        """Return some of the rows as they were."""
        firsts, logs = self._firsts[rows], self._logs[rows]
        found = np.empty((len(logs), firsts.shape[1] + LOGARITHMS))
        found[:, :-LOGARITHMS] = firsts
        np.divide(logs, self._scale, out=found[:, -LOGARITHMS:], dtype=np.float64)
        return found


@dataclass(frozen=True, slots=True)
class CardHistory:
    """The values of one card by day, ascending, or of every card on one day."""

    date: Dates
    market: Floats
    low: Floats
    fair: Floats
    lower: Floats
    upper: Floats
    status: NDArray[np.object_]
