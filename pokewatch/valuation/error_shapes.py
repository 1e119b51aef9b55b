"""The error distribution that each group of cards is expected to have in an unseen period."""

import numpy as np

from pokewatch.decision.distribution import LEVELS
from pokewatch.valuation.common_errors import CommonErrors
from pokewatch.valuation.panel import Floats

_LEVELS = np.array(LEVELS)


class ErrorShapes:
    """The shapes of groups of errors that have `common` ones."""

    def __init__(self, common: CommonErrors) -> None:
        self._common = common
        self._widening = np.array([common.widening(level) for level in LEVELS])

    def __call__(self, errors: Floats, units: int) -> Floats:
        """Return the floor and the quantiles of scaled `errors` [n], ascending, of `units`.

        Errors on one side of the forecast may cross as the outer ones are widened by more than the
        inner ones: they are put in order (Chernozhukov, Fernandez-Val and Galichon, "Quantile and
        probability curves without crossing", Econometrica 2010).
        """
        floor = 1.0 / (self._common.independent(units) + 1.0)
        return np.concatenate(([floor], np.sort(quantiles(errors) * self._widening)))


def quantiles(ascending: Floats) -> Floats:
    """Return the quantiles at LEVELS of n numbers: that of level p is the (n + 1)p-th.

    They are those of `np.quantile` by its method "weibull", which would sort the numbers.
    """
    last = len(ascending) - 1
    place = np.clip(len(ascending) * _LEVELS + _LEVELS - 1.0, 0.0, last)
    before = place.astype(np.int64)
    low, high = ascending[before], ascending[np.minimum(before + 1, last)]
    part, step = place - before, high - low
    found: Floats = np.where(part < 0.5, low + step * part, high - step * (1.0 - part))
    return found
