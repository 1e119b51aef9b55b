"""The rows that a book is written from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class BookSpreads:
    """The predictive distributions of rows [n, d]; see `spread.Spread`.

    With probability `unchanged` the price at the horizon is the last quote; else its log is that of
    the fair price plus `scale` times a draw of the row `shape` of `shapes` [S, 1 + K], a floor and
    the quantiles at LEVELS. NO_SHAPE stands for none. All blocks of a book have the same `shapes`.
    """

    scale: NDArray[np.float16]
    unchanged: NDArray[np.float16]
    shape: NDArray[np.int16]
    shapes: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BookRows:
    """Rows of n cards on the same d days: `card_id` [n], `dates` [d] ascending, the rest [n, d].

    Prices are float64, NaN for none; `status` is an index into STATUSES. Without `spreads`, the
    interval is all that is known.
    """

    card_id: Sequence[str]
    dates: NDArray[np.datetime64]
    market: NDArray[np.float64]
    low: NDArray[np.float64]
    fair: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    status: NDArray[np.int8]
    spreads: BookSpreads | None = None
