"""The last quote, and averages of the last days' quotes: the usual baselines."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.features import COLUMN
from pokewatch.valuation.models.model import Model
from pokewatch.valuation.panel import Floats


class Last(Model):
    """The last quote: no change is forecast. Hard to beat, and exact where prices walk randomly."""

    name = "last"

    def move(self, values: NDArray[np.float32]) -> Floats:
        return np.zeros(len(values))


class _Average(Model):
    feature: ClassVar[str]

    def move(self, values: NDArray[np.float32]) -> Floats:
        return values[:, COLUMN[self.feature]].astype(np.float64)


class RollingMean(_Average):
    """The mean quote of the last three days; a day without a quote repeats the last one."""

    name = "rolling_mean"
    feature = "mean3"


class Median7(_Average):
    """The median quote of the last seven days; a day without a quote repeats the last one."""

    name = "median7"
    feature = "median7"
