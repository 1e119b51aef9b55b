"""The move that all cards of a day share, which models of single cards must not learn from.

A move of the whole market is one observation a day, and those of overlapping horizons are hardly
even that. A model that takes each card's for a new one learns the past course of the market by
heart (the clustering problem of Moulton, "An illustration of a pitfall in estimating the effects of
aggregate variables on micro units", Review of Economics and Statistics 1990).
"""

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.panel import Floats

_SHRINKAGE_CARDS = 10.0  # cards' worth of weight on no common move


def without_common_move(moves: Floats, day: NDArray[np.int32]) -> Floats:
    """Return the log moves [m] minus the median of those of the same `day` [m].

    The median of few cards is mostly their own moves, and is shrunk towards 0.
    """
    days, code = np.unique(day, return_inverse=True)
    order = np.argsort(code, kind="stable")
    groups = np.split(moves[order], np.cumsum(np.bincount(code))[:-1])
    medians = np.array([np.median(group) for group in groups]) if len(days) else np.empty(0)
    medians *= np.bincount(code) / (np.bincount(code) + _SHRINKAGE_CARDS)
    return np.asarray(moves - medians[code])
