"""The 90% interval of what a whole collection will be worth at the horizon.

Cards share shocks, so the interval is neither the sum of the cards' intervals nor that of
independent ones. It comes from how far the fair price of this very collection was from its price a
horizon later, on each day of the book.
"""

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.book import PriceBook

Floats = NDArray[np.float64]

TAIL = 0.05
MIN_WINDOWS = 8  # horizons in the book; fewer say too little about the tails
_CARDS = 2_048  # decoded at a time


def total_interval(
    book: PriceBook, positions: NDArray[np.intp], copies: Floats
) -> tuple[float, float] | None:
    """Return the interval's edges as multiples of the fair total, None if too few days are known.

    `copies` [n] are the copies of each card at `positions`; fractions stand for conditions. The
    edges are quantiles of price over fair total, with split conformal's correction for the number
    of windows that do not overlap (Lei et al., JASA 2018).
    """
    horizon = book.facts.horizon
    days = len(book.dates)
    windows = (days - 1) // horizon if horizon else 0
    owned = copies > 0
    if windows < MIN_WINDOWS or not owned.any():
        return None
    fair, price = np.zeros(days - horizon), np.zeros(days - horizon)
    cards, weights = positions[owned], copies[owned]
    for start in range(0, len(cards), _CARDS):
        part = slice(start, start + _CARDS)
        expected = book.fair_prices.decode(cards[part])[:, :-horizon]
        later = book.market_prices.decode(cards[part])[:, horizon:]
        both = np.isfinite(expected) & np.isfinite(later)
        weight = weights[part, None]
        fair += np.where(both, expected * weight, 0.0).sum(axis=0)
        price += np.where(both, later * weight, 0.0).sum(axis=0)
    known = fair > 0
    if known.sum() < MIN_WINDOWS * horizon:
        return None
    ratios = price[known] / fair[known]
    level = min((1 - TAIL) * (1 + 1 / windows), 1.0)
    return float(np.quantile(ratios, 1 - level)), float(np.quantile(ratios, level))
