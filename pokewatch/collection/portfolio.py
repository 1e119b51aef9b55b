"""The 90% interval of what a whole collection will be worth at the horizon.

Cards share shocks, so the interval is neither the sum of the cards' intervals nor that of
independent ones. It comes from how far the fair price of this very collection was from its price a
horizon later, on each day of the book.
"""

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.book import PriceBook

Floats = NDArray[np.float64]

TAIL = 0.05
MIN_WINDOWS = 4  # horizons in the book; fewer say too little about the size of the errors
_MOST_CORRELATION = 0.9
_CARDS = 2_048  # decoded at a time


def total_interval(
    book: PriceBook, positions: NDArray[np.intp], copies: Floats
) -> tuple[float, float] | None:
    """Return the interval's edges as multiples of the fair total, None if too few days are known.

    `copies` [n] are the copies of each card at `positions`; fractions stand for conditions.
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
    known = (fair > 0) & (price > 0)
    if known.sum() < (MIN_WINDOWS - 1) * horizon:
        return None
    return error_interval(price[known] / fair[known], horizon)


def error_interval(ratios: Floats, horizon: int) -> tuple[float, float]:
    """Return the interval of the next ratio of price to fair price, given the past `ratios` [d].

    It is Student's t prediction interval of the logarithm about zero, where the fair price is. Days
    less than a horizon apart share most of their error: the sample counts for at most as many
    independent errors as there are horizons in it.
    """
    errors = np.log(ratios)
    windows = _independent(errors, horizon)
    scale = float(np.sqrt(np.mean(errors**2) * (1 + 1 / windows)))
    edge = _student(windows - 1) * scale
    return float(np.exp(-edge)), float(np.exp(edge))


def _independent(errors: Floats, horizon: int) -> float:
    """Return the number of independent errors that a variance from `errors` [d] is worth.

    A market price lags behind sales, so the errors of successive horizons may correlate: by
    Bartlett's formula for squares ("On the theoretical specification of sampling properties of
    autocorrelated time series", 1946), with their correlation where it is positive.
    """
    windows = len(errors) / horizon
    square = float(np.mean(errors**2))
    if square == 0 or len(errors) <= horizon + 2:
        return windows
    correlation = float(np.mean(errors[horizon:] * errors[:-horizon])) / square
    shared = min(max(correlation, 0.0), _MOST_CORRELATION) ** 2
    return max(windows * (1 - shared) / (1 + shared), float(MIN_WINDOWS - 1))


def _student(freedom: float) -> float:
    """Return the upper quantile of Student's t for TAIL, with `freedom` of at least 2.

    By the expansion 26.7.5 of Abramowitz and Stegun, at most 1.3% too small: serving has no SciPy.
    """
    z = NormalDist().inv_cdf(1 - TAIL)
    v = max(freedom, 2.0)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )
