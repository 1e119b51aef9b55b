"""The predictive distribution of a price at the horizon, from its median and 90% interval."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Z_95 = 1.6448536269514722  # standard normal quantile of the interval's upper edge


# Standard normal distribution function in steps of 0.001, to where a tail is less than 1e-15.
_GRID = np.linspace(-8.0, 8.0, 16_001)
_CDF = np.array([0.5 * math.erfc(-z / math.sqrt(2.0)) for z in _GRID.tolist()])


def normal_cdf(z: Floats) -> Floats:
    """Return the standard normal distribution function to 3.1e-8.

    It is interpolated in a table; the error is at most step**2 / 8 * max|cdf''|.
    """
    cdf: Floats = np.interp(z, _GRID, _CDF)
    return cdf


def predictive_cdf(price: Floats, fair: Floats, lower: Floats, upper: Floats) -> Floats:
    """Return P(price at the horizon <= `price`), NaN without an interval.

    The distribution is a two-piece log-normal with median `fair` and 5% and 95% quantiles `lower`
    and `upper`: each side has its own deviation on the log scale. A side of zero width is a step at
    `fair`.
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        distance = np.log(price / fair)
        width = np.where(distance < 0, np.log(fair / lower), np.log(upper / fair))
        z = np.where(distance == 0, 0.0, distance * (Z_95 / width))
    return np.where(np.isnan(lower + upper), np.nan, normal_cdf(z))
