"""The predictive distribution of a price at the horizon.

With probability `unchanged` the price is the last quote; otherwise its logarithm follows quantiles
that are tabulated at LEVELS. Between two of them, and beyond the outermost, the log price is linear
in the quantile of Student's distribution with three degrees of freedom: moves of prices have tails
of about that weight (Cont, "Empirical properties of asset returns: stylized facts and statistical
issues", Quantitative Finance 1, 2001), and normal ones would be too thin beyond the outermost
quantile and too full between the outer two. A price that changes does so by at least a cent, which
is a large move of a cheap card.
"""

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LEVELS = (0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)
Z_LEVELS = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
Z_95 = 1.6448536269514722  # standard normal quantile of the interval's upper edge
WIDTH = 3 + len(LEVELS)  # numbers per distribution
# Of an interval without a distribution, nothing is known beyond its edges: no probability is closer
# to 0 or 1 than that of the most extreme of so many observations.
DEFAULT_CALIBRATION_SIZE = 99
CENT = 0.01
_TOLERANCE = 1e-9  # relative: rounding does not separate a price from the last quote
_SHIFT = 1e-8  # of a price, so that rounding does not separate two that differ by a cent
_MAX_LOG_WIDTH = 1e8  # of an interval that is unbounded on one side

# Student's distribution function, to where a tail is less than 1e-11.
_GRID = np.array([math.sinh(step) for step in np.linspace(-9.5, 9.5, 16_001).tolist()])
_RATIOS = (_GRID / math.sqrt(3.0)).tolist()
_CDF = np.array([0.5 + (r / (1.0 + r * r) + math.atan(r)) / math.pi for r in _RATIOS])
_T_LEVELS = np.interp(LEVELS, _CDF, _GRID)
_T_STEPS = np.diff(_T_LEVELS)
# A product with ones counts along a short last axis: ten times as fast as a reduction.
_ONES = np.ones(len(LEVELS), dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Distribution:
    """Predictive distributions, one per row: [...], and [..., K] for `log_quantiles`.

    `last_price` is the last quote and `unchanged` the probability that the price at the horizon is
    the same. `log_quantiles` are the logarithms of the quantiles at LEVELS of a price that is not,
    ascending. `floor` is the smallest probability that the calibration allows, 1 / (n + 1) with n
    calibration errors. NaN stands for a row without a distribution.
    """

    last_price: Floats
    unchanged: Floats
    floor: Floats
    log_quantiles: Floats

    @classmethod
    def from_array(cls, values: Floats) -> "Distribution":
        """Return the distributions of rows [..., WIDTH]: see `to_array`."""
        return cls(values[..., 0], values[..., 1], values[..., 2], values[..., 3:])

    @classmethod
    def missing(cls, shape: tuple[int, ...]) -> "Distribution":
        """Return rows without a distribution."""
        return cls.from_array(np.full((*shape, WIDTH), np.nan))

    def to_array(self) -> Floats:
        """Return rows [..., WIDTH]: the last price, `unchanged`, `floor` and the log quantiles."""
        firsts = np.stack((self.last_price, self.unchanged, self.floor), axis=-1)
        return np.concatenate((firsts, self.log_quantiles), axis=-1)

    def scaled(self, factor: ArrayLike) -> "Distribution":
        """Return the distributions of the price times `factor`, one or one per row."""
        factor = np.asarray(factor, dtype=np.float64)
        logs = self.log_quantiles + np.log(factor)[..., None]
        return replace(self, last_price=self.last_price * factor, log_quantiles=logs)


def is_malformed(distribution: Distribution) -> NDArray[np.bool_]:
    """Return which rows are neither a distribution nor NaN."""
    last, unchanged, floor, logs = (
        distribution.last_price,
        distribution.unchanged,
        distribution.floor,
        distribution.log_quantiles,
    )
    steps_up = (logs[..., 1:] >= logs[..., :-1]) @ _ONES[1:]
    invalid: NDArray[np.bool_] = ~(
        ((last > 0) & (last < np.inf))
        & ((unchanged >= 0) & (unchanged < 1))
        & ((floor > 0) & (floor < 0.5))
        & ((logs[..., 0] > -np.inf) & (logs[..., -1] < np.inf) & (steps_up == len(LEVELS) - 1))
    )
    return invalid & ~_is_missing(distribution) if invalid.any() else invalid


def _is_missing(distribution: Distribution) -> NDArray[np.bool_]:
    """Return which rows have a NaN."""
    missing: NDArray[np.bool_] = (
        np.isnan(distribution.last_price)
        | np.isnan(distribution.unchanged)
        | np.isnan(distribution.floor)
        | (np.isnan(distribution.log_quantiles) @ _ONES > 0)
    )
    return missing


def interval_distribution(fair: Floats, lower: Floats, upper: Floats) -> Distribution:
    """Return the distributions of prices of which only a 90% interval is known.

    Their quantiles are those of two-piece log-normals with median `fair` and 5% and 95% quantiles
    `lower` and `upper`: each side has its own deviation. Their `floor` is that of
    DEFAULT_CALIBRATION_SIZE errors.
    """
    known = ~np.isnan(lower + upper)
    if not np.count_nonzero(known):
        return Distribution.missing(known.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.minimum(np.log(fair) - np.log(lower), _MAX_LOG_WIDTH)[..., None]
        above = np.minimum(np.log(upper) - np.log(fair), _MAX_LOG_WIDTH)[..., None]
        distance = np.where(Z_LEVELS < 0, below, above) * (Z_LEVELS / Z_95)
    return Distribution(
        last_price=np.where(known, fair, np.nan),
        unchanged=np.where(known, 0.0, np.nan),
        floor=np.where(known, 1.0 / (DEFAULT_CALIBRATION_SIZE + 1), np.nan),
        log_quantiles=np.where(known[..., None], np.log(fair)[..., None] + distance, np.nan),
    )


def with_intervals(
    distribution: Distribution | None, fair: Floats, lower: Floats, upper: Floats
) -> Distribution:
    """Return `distribution` with rows that have none replaced by `interval_distribution`."""
    if distribution is None:
        return interval_distribution(fair, lower, upper)
    missing = _is_missing(distribution)
    if not missing.any():
        return distribution
    of_interval = interval_distribution(fair, lower, upper).to_array()
    return Distribution.from_array(
        np.where(missing[..., None], of_interval, distribution.to_array())
    )


def predictive_cdf(
    distribution: Distribution, price: ArrayLike, side: Literal["left", "right"] = "right"
) -> Floats:
    """Return P(price at the horizon <= `price`), or P(... < `price`) for `side` "left".

    `price` has the shape of the rows, or broadcasts to it. The result is within
    [floor, 1 - floor], NaN without a distribution.
    """
    return _clamp(_cdf(distribution, np.asarray(price, dtype=np.float64), side), distribution.floor)


def predictive_mass(distribution: Distribution, below: Floats, until: Floats) -> Floats:
    """Return P(`below` < price at the horizon <= `until`), of prices with the shape of the rows.

    0 and infinity leave a side open. The result is within [floor, 1 - floor], NaN without a
    distribution. The difference of two `predictive_cdf` would leave `floor` out twice, also where a
    price is nearly certain to be within.
    """
    edges = np.empty((2, *below.shape))  # for one row, several times as fast as `np.stack`
    edges[0], edges[1] = below, until
    first, last = _cdf(distribution, edges, "right")
    return _clamp(last - first, distribution.floor)


def predictive_quantile(distribution: Distribution, level: ArrayLike) -> Floats:
    """Return the smallest price whose `predictive_cdf` is at least `level`.

    `level` has the shape of the rows, or broadcasts to it. It is taken as the nearest one within
    [floor, 1 - floor]. The result is NaN without a distribution.
    """
    unchanged, last = distribution.unchanged, distribution.last_price
    wanted = _clamp(np.asarray(level, dtype=np.float64), distribution.floor)
    until = (1.0 - unchanged) * _changed_cdf(distribution.log_quantiles, last, "left")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        of_changed = np.where(wanted <= until, wanted, wanted - unchanged) / (1.0 - unchanged)
        price = np.exp(interpolate_quantiles(distribution.log_quantiles, of_changed))
    price = np.where(unchanged > 0, _a_cent_away(price, last), price)
    at_last = (wanted > until) & (wanted <= until + unchanged)
    return np.where(at_last, last, price)


def student_cdf(t: Floats) -> Floats:
    """Return Student's distribution function for three degrees of freedom to 1e-7.

    It is interpolated in a table, which inverts it as well. Beyond the table it is 0 or 1.
    """
    cdf: Floats = np.interp(t, _GRID, _CDF, left=0.0, right=1.0)
    return cdf


def _cdf(distribution: Distribution, price: Floats, side: Literal["left", "right"]) -> Floats:
    last = distribution.last_price
    # A change of less than a cent is one of a cent: the price is there, and not on the way to it.
    shift = _SHIFT if side == "right" else -_SHIFT
    within_a_cent = np.abs(price - last + shift) < CENT
    away = np.where(within_a_cent & (distribution.unchanged > 0), last, price)
    changed = _changed_cdf(distribution.log_quantiles, away, side)
    slack = last * (_TOLERANCE if side == "right" else -_TOLERANCE)
    at_last = last <= price + slack
    cdf: Floats = changed + distribution.unchanged * (at_last - changed)
    return cdf


def _changed_cdf(logs: Floats, price: Floats, side: str) -> Floats:
    """Return P(price at the horizon <= `price`) where it changes, from log quantiles [..., K]."""
    compare = np.less_equal if side == "right" else np.less
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log_price = np.log(price)
        reached = compare(logs[..., :-1], log_price[..., None])
        at = reached[..., 1:] @ _ONES[:-2]
        left, right = _around(logs, at)
        t = _T_LEVELS.take(at) + (log_price - left) / (right - left) * _T_STEPS.take(at)
    step = np.where(reached[..., 0], np.inf, -np.inf)  # the outermost two quantiles are equal
    return student_cdf(np.where(right <= left, step, t))


def interpolate_quantiles(logs: Floats, level: Floats) -> Floats:
    """Return the quantiles at `level` [...] of rows of quantiles [..., K] at LEVELS."""
    t = np.interp(level, _CDF, _GRID)
    at = np.searchsorted(_T_LEVELS[1:-1], t, side="right")
    left, right = _around(logs, at)
    quantile: Floats = left + (t - _T_LEVELS.take(at)) / _T_STEPS.take(at) * (right - left)
    return quantile


def _a_cent_away(price: Floats, last: Floats) -> Floats:
    below = np.where(last > CENT, last - CENT, last)
    away = np.where(price < last, np.minimum(price, below), np.maximum(price, last + CENT))
    return np.where(price == last, last, away)


def _around(logs: Floats, at: NDArray[Any]) -> tuple[Floats, Floats]:
    """Return the quantiles `at` and `at + 1` of each row."""
    values = logs.ravel()
    first = np.arange(0, values.size, logs.shape[-1]).reshape(logs.shape[:-1]) + at
    return values.take(first), values.take(first + 1)


def _clamp(probability: Floats, floor: Floats) -> Floats:
    clamped: Floats = np.minimum(np.maximum(probability, floor), 1.0 - floor)
    return clamped
