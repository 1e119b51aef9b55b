"""The filter that follows the level of each card's price."""

import numpy as np

from pokewatch.valuation.panel import Bools, Floats

_HUBER = 2.0  # innovations beyond this many scales are clipped


class LevelFilter:
    """A robust local level per card: a Kalman filter on fresh quotes with clipped innovations.

    Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter" (1989), 4.1; the
    clipping is Huber's ("Robust Estimation of a Location Parameter", 1964). Variances are in units
    of the quote's. `drift` [n] is the move of the level that is expected for the day.
    """

    def __init__(self, ratio: float, cards: int) -> None:
        self.ratio = ratio
        self.mean = np.full(cards, np.nan)
        self.variance = np.ones(cards)

    def advance(
        self, quote: Floats, fresh: Bools, scale: Floats, elapsed: Floats, drift: Floats
    ) -> None:
        self.mean = self.mean + drift
        rows = np.flatnonzero(fresh)
        now, mean = quote[rows], self.mean[rows]
        innovation = now - mean
        predicted = self.variance[rows] + self.ratio * elapsed[rows]
        with np.errstate(divide="ignore"):
            pull = np.fmin(1.0, _HUBER * scale[rows] / np.abs(innovation))
        gain = predicted / (predicted + 1.0) * pull
        known = np.isfinite(mean)
        self.mean[rows] = np.where(known, mean + gain * innovation, now)
        self.variance[rows] = np.where(known, (1.0 - gain) * predicted, self.variance[rows])
