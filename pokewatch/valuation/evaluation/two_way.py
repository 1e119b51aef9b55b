"""Sampling errors of ratios of sums over card-days, clustered by card and by date.

A score is R = sum a / sum b over the cards i and dates t of the forecasts. Its linearisation has
the terms u_it = (a_it - R b_it) / sum b. Terms of one card are correlated, because outcomes of
overlapping windows share price moves; terms of one date are, because cards share the market's
moves. Both are allowed for, and what they count twice is subtracted:

    V_card = sum_i (sum_t u_it)^2
    V_date = D' K D,  D_t = sum_i u_it,  K_ts = max(0, 1 - |t - s| / h)
    V_both = sum_i u_i' K u_i
    half width at level 1 - alpha = sqrt(z^2 V_card + t^2 max(V_date - V_both, 0))

Here h is the horizon and |t - s| the days between two dates: outcomes h or more days apart share no
day. z is the normal quantile and t that of Student's distribution with max(1, windows - 1) degrees
of freedom, where windows = (last - first + h) / h is the number of independent periods; dates more
than h days apart count as h days apart, since nothing is known of the days between their outcomes.
Few periods are the rule, and the normal quantile would understate what they leave unknown.

The terms of a single card sum to zero whatever its errors are, and so do those of each date then:
its score has no error that could be estimated, and its variance is infinite.

Clustering in two ways: Cameron, Gelbach and Miller, "Robust inference with multiway clustering",
J. Business & Economic Statistics 29 (2011); with dependence between dates: Thompson, "Simple
formulas for standard errors that cluster by both firm and time", J. Financial Economics 99 (2011).
The kernel K is Bartlett's: Newey and West, Econometrica 55 (1987).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.panel import Floats

LEVEL = 0.95
_BISECTIONS = 60


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score with its variance between cards and that between dates, from `windows` periods.

    The variance between cards is infinite where there is only one.
    """

    value: float
    card_variance: float
    date_variance: float
    windows: float

    @property
    def low(self) -> float:
        """The low end of the 95% interval."""
        return self.value - self.half_width()

    @property
    def high(self) -> float:
        return self.value + self.half_width()

    def __str__(self) -> str:
        return f"{self.value:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"

    def half_width(self, alpha: float = 1 - LEVEL) -> float:
        """Return half the width of the interval that misses with probability `alpha`."""
        from scipy.special import ndtri, stdtrit  # half of the steps never need it

        z, t = ndtri(alpha / 2), stdtrit(max(1.0, self.windows - 1), alpha / 2)
        return float(np.sqrt(z**2 * self.card_variance + t**2 * self.date_variance))

    def p_value(self) -> float:
        """Return the two-sided p-value of zero: the least `alpha` whose interval excludes it."""
        if self.value == 0 or np.isinf(self.card_variance):
            return 1.0
        low, high = -150.0, 0.0  # powers of ten
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if self.half_width(10.0**middle) < abs(self.value):
                high = middle
            else:
                low = middle
        return float(10.0**high)


@dataclass(frozen=True, slots=True)
class Clusters:
    """The card and the date of each of m terms.

    `origin` [m] are indices into `days`, the days of the forecasts, and `card` [m] numbers of
    cards. No card has two terms on one date. `horizon` is in days.
    """

    origin: NDArray[np.integer]
    card: NDArray[np.integer]
    days: Sequence[date]
    horizon: int

    @property
    def windows(self) -> float:
        """The number of independent periods, of the days that have a term."""
        return windows_of([self.days[number] for number in np.unique(self.origin)], self.horizon)

    def select(self, rows: NDArray[np.generic]) -> "Clusters":
        """Return the clusters of an index or mask [m], with their cards numbered from 0."""
        card = np.unique(self.card[rows], return_inverse=True)[1]
        return Clusters(self.origin[rows], card, self.days, self.horizon)

    def ratio(self, above: Floats, below: Floats) -> Estimate | None:
        """Return the ratio of the sums of two terms [m]; None where the denominator is zero."""
        total = float(below.sum())
        if not total > 0:
            return None
        value = float(above.sum()) / total
        found = self.estimate(value, (above - value * below) / total)
        cards = self.card[(above != 0) | (below != 0)]
        return found if cards.min() < cards.max() else replace(found, card_variance=np.inf)

    def estimate(self, value: float, influence: Floats) -> Estimate:
        """Return a score with its variances, from its linearised terms u_it [m]."""
        by_date = np.bincount(self.origin, influence, minlength=len(self.days))
        by_card = np.bincount(self.card, influence)
        terms = np.zeros((len(self.days), len(by_card)))
        terms[self.origin, self.card] = influence
        kernel = _bartlett(self.days, self.horizon)
        # Without the matrix product of BLAS, whose rounding depends on the number of processors.
        within = (kernel * np.einsum("ti,si->ts", terms, terms)).sum()
        between = (kernel * np.outer(by_date, by_date)).sum()
        return Estimate(
            value, float(np.square(by_card).sum()), float(max(between - within, 0.0)), self.windows
        )


def windows_of(days: Sequence[date], horizon: int) -> float:
    """Return the number of independent periods in forecasts made on `days`, ascending."""
    apart = [(later - earlier).days for earlier, later in pairwise(days)]
    return (sum(min(gap, horizon) for gap in apart) + horizon) / horizon if days else 0.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number, in the order given.

    The chance that any true hypothesis has an adjusted p-value below alpha is at most alpha (Holm,
    "A simple sequentially rejective multiple test procedure", Scandinavian J. Statistics 6, 1979).
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def _bartlett(days: Sequence[date], horizon: int) -> Floats:
    ordinal = np.array([day.toordinal() for day in days], dtype=np.float64)
    kernel: Floats = np.maximum(0.0, 1 - np.abs(ordinal[:, None] - ordinal) / horizon)
    return kernel
