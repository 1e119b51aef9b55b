"""The part of the errors that all cards of a day share.

A few weeks of errors hold thousands of cards but few moves of the market: what cards share is not
averaged out, and its sign in a few periods says little about the next.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.panel import Bools, Floats

_WINSORIZED = (0.05, 0.95)
# Quantiles of Student's t by the inverse of its degrees of freedom: at 80% and at 95%
_INVERSES = (0.0, 0.05, 0.1, 1 / 7, 0.2, 0.25, 1 / 3, 0.5, 1.0)
_CENTRAL = (0.842, 0.860, 0.879, 0.896, 0.920, 0.941, 0.978, 1.061, 1.376)
_OUTER = (1.645, 1.725, 1.812, 1.895, 2.015, 2.132, 2.353, 2.920, 6.314)
_OUTER_LEVELS = (0.05, 0.95)  # from which on outwards a quantile is an outer one
_RARE = (0.224, 0.303)  # correlation of rare outcomes, per correlation of errors and its square


@dataclass(frozen=True, slots=True)
class CardOutcomes:
    """The `card` and `day` [m] that outcomes are of, `horizon` days after the day."""

    card: NDArray[np.int64]
    day: NDArray[np.int64]
    horizon: int

    @property
    def unit(self) -> NDArray[np.int64]:
        """Return a number [m], from 0, of the card and its period: outcomes of one unit overlap."""
        # Not the periods themselves: a long history has many, of which few have outcomes.
        period = _numbered(self.day // self.horizon)
        return _numbered(self.card * (period.max(initial=0) + 1) + period)

    def select(self, rows: Bools) -> "CardOutcomes":
        return CardOutcomes(self.card[rows], self.day[rows], self.horizon)


@dataclass(frozen=True, slots=True)
class CommonErrors:
    """The `share` of the error variance that all cards of a day have in common.

    `periods` is the number of independent periods, not necessarily whole, and `mean` the mean error
    as far as it may be due to them.
    """

    share: float
    periods: float
    mean: float

    def widening(self, level: float) -> float:
        """Return the factor by which a quantile of errors grows in a period that was not seen.

        The variance in common is estimated from few periods, so it counts by the ratio of Student's
        quantile to the normal one, at 80% or at 95%. That ratio is larger in the tails: one for all
        levels would understate how often prices stay near the forecast.
        """
        outer = level <= _OUTER_LEVELS[0] or level >= _OUTER_LEVELS[1]
        quantiles = _OUTER if outer else _CENTRAL
        ratio = float(np.interp(1.0 / self.periods, _INVERSES, quantiles)) / quantiles[0]
        return float(np.sqrt(1.0 + self.share * (ratio**2 - 1.0)))

    def independent(self, errors: int) -> float:
        """Return the number of independent errors that `errors` are worth for rare outcomes.

        They are divided by the design effect of samples in clusters, here periods (Kish, "Survey
        Sampling", 1965, 5.4). Whether an error is beyond a far quantile is less alike within a day
        than the errors are: here at 5% of normal ones, by two terms of the tetrachoric series
        (Pearson, "On the correlation of characters not quantitatively measurable", 1900).
        """
        rare = self.share * (_RARE[0] + self.share * _RARE[1])
        return errors / (1.0 + max(errors / self.periods - 1.0, 0.0) * rare)


def common_errors(errors: Floats, outcomes: CardOutcomes) -> CommonErrors:
    """Return what the `errors` [m] of each day of `outcomes`, in one unit of scale, have in common.

    The share is the intraclass correlation by day, of errors winsorized at 5% and 95%.
    """
    days, code = outcomes.day, _numbered(outcomes.day)
    count = np.bincount(code)
    clipped = np.clip(errors, *np.quantile(errors, _WINSORIZED))
    means = np.bincount(code, weights=clipped) / count
    within = float(np.square(clipped - means[code]).sum() / max(len(errors) - len(count), 1))
    between = max(float(np.average(np.square(means) - within / count, weights=count)), 0.0)
    periods = (int(days.max()) - int(days.min())) / outcomes.horizon + 1.0
    mean = float(clipped.mean())
    by_chance = min(between / periods / mean**2, 1.0) if mean else 0.0
    total = between + within
    return CommonErrors(between / total if total else 0.0, periods, mean * by_chance)


def _numbered(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rank [m] of each of `values` among the distinct ones; none is negative.

    Faster than to sort them, as `np.unique` does.
    """
    found = np.zeros(values.max(initial=-1) + 1, dtype=np.bool_)
    found[values] = True
    return (np.cumsum(found, dtype=np.int32) - 1)[values].astype(np.int64)
