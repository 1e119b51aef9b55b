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


class CompactDistributions:
    """Rows of `Distribution.to_array`, whose logarithms take half the memory.

    They are rounded to five decimals, which float32 has up to 64; larger ones stay as they are.
    """

    def __init__(self, rows: Floats) -> None:
        self._firsts, logs = rows[:, :-LOGARITHMS].copy(), rows[:, -LOGARITHMS:]
        narrow = logs.astype(np.float32)
        exact = np.array_equal(_widened(narrow), logs, equal_nan=True)
        self._logs: Floats | NDArray[np.float32] = narrow if exact else logs.copy()

    def take(self, rows: NDArray[np.intp] | slice) -> Floats:
        """Return some of the rows as they were."""
        logs = self._logs[rows]
        wide = _widened(logs) if logs.dtype == np.float32 else logs
        return np.concatenate((self._firsts[rows], wide), axis=1)


def _widened(logs: NDArray[Any]) -> Floats:
    return logs.astype(np.float64).round(5)


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
