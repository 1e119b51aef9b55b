"""A sequential test of two forecasters, which may be looked at every day.

On day t the champion forecasts a_ti and the challenger b_ti, log prices of cards i for day t + h,
which come out as y_ti. The scaled difference of their errors,

    Z_t = sum_i (|a_ti - y_ti| - |b_ti - y_ti|) / sum_i |a_ti - b_ti|,

is in [-1, 1], positive where the challenger was closer, and its denominator is known on day t. The
null hypothesis is E[Z_t | what is known on day t] <= 0.

Outcomes of less than h days apart share price moves, so the days are divided into h streams: day t
belongs to stream t mod h, in which no two outcomes overlap. Where Z_t is sub-Gaussian with scale
sigma given the past, each stream is a test supermartingale for every lambda > 0,

    E_k(lambda) = exp(lambda S_k - lambda^2 sigma^2 n_k / 2),  S_k = sum of its n_k values of Z_t,

and so is their mean over LAMBDAS (Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform,
nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49, 2021; Choe and Ramdas,
"Comparing sequential forecasters", Operations Research 72, 2024). By Ville's inequality a stream
ever reaches 1 / alpha with probability alpha at most. What is watched is the mean of the h streams.
Its expectation on a day chosen in advance is 1 at most; on a day chosen by looking, what is known
of outcomes to come could raise it, so the share of false promotions is measured by simulation
(tests/experiments/test_sequential.py).

sigma is assumed, and watched: where the values of Z_t so far spread more, their deviation is used.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.panel import Bools, Floats

LAMBDAS = np.geomspace(0.5, 6.0, 8)
LEVEL = 0.95
_BEST_WINDOWS = 12  # independent periods at which the confidence sequence is narrowest
_MIN_WINDOWS = 2

Verdict = Literal["promote", "abort", "stop", "continue"]


@dataclass(frozen=True, slots=True)
class Rule:
    """When an experiment ends.

    A challenger is promoted on the first day on which its e-value is at least `threshold` and the
    share of outcomes inside its 90% interval is within `coverage`; the experiment is aborted on the
    first day on which the e-value of the opposite is at least `threshold`. Neither happens before
    `shortest` days of forecasts, which share too few states of the market; after `longest` days the
    experiment is stopped.
    """

    horizon: int
    sigma: float = 0.15
    threshold: float = 20.0
    shortest: int = 28
    longest: int = 180
    coverage: tuple[float, float] = (0.86, 0.94)


def scaled_difference(
    champion: Floats, challenger: Floats, outcome: Floats
) -> tuple[float | None, float]:
    """Return Z_t and its denominator from log prices [n]; no Z_t where the forecasts are equal.

    Cards without an outcome, NaN, count in the denominator, which is known beforehand.
    """
    scale = float(np.abs(champion - challenger).sum())
    if not scale > 0:
        return None, 0.0
    gained = np.abs(champion - outcome) - np.abs(challenger - outcome)
    return float(np.clip(np.nansum(gained) / scale, -1.0, 1.0)), scale


def log_e_values(z: Floats, days: NDArray[np.int64], horizon: int, sigma: float) -> Floats:
    """Return the logarithm of the e-value after each day, of the shape of `z` [..., n].

    `days` [n] are ascending ordinals of the days of forecast, whose outcomes are all known.
    """
    variance = np.square(scales(z, sigma))
    found: Floats = np.full(z.shape, -np.inf)
    for stream in range(horizon):
        inside = days % horizon == stream
        sums, n = np.cumsum(np.where(inside, z, 0.0), axis=-1), np.cumsum(inside)
        for each in LAMBDAS:
            found = np.logaddexp(found, each * sums - each**2 / 2 * n * variance)
    mean: Floats = found - np.log(horizon * len(LAMBDAS))
    return mean


def scales(z: Floats, sigma: float) -> Floats:
    """Return `sigma`, or the spread of the outcomes up to each day where that is larger."""
    found: Floats = np.maximum(np.sqrt(_moments(z)[1]), sigma)
    return found


def _moments(z: Floats) -> tuple[Floats, Floats]:
    """Return the mean and the variance of the outcomes up to each day."""
    n = np.arange(1, z.shape[-1] + 1)
    mean = np.cumsum(z, axis=-1) / n
    return mean, np.maximum(np.cumsum(np.square(z), axis=-1) / n - np.square(mean), 0.0)


def confidence_sequence(z: Floats, horizon: int) -> tuple[Floats, Floats]:
    """Return the ends of the confidence sequence of the mean of Z after each day, [..., n] each.

    All of it covers the mean with probability LEVEL, asymptotically: the boundary of a normal
    mixture (Howard et al. 2021) with the variance estimated (Waudby-Smith, Arbour, Sinha, Kennedy
    and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", Annals of
    Statistics 52, 2024), for w = n / h independent periods of variance s^2 and alpha = 1 - LEVEL:

        mean +- s sqrt(2 (w r + 1) / (w^2 r) ln(sqrt(w r + 1) / alpha))

    n days whose outcomes overlap as sums of h price moves have the variance of n / h independent
    ones, and less where they share less. The ends are -1 and 1 before there are two periods.
    """
    mean, variance, alpha = *_moments(z), 1 - LEVEL
    wanted = -2 * np.log(alpha)
    r = (wanted + np.log1p(wanted)) / _BEST_WINDOWS
    w = np.arange(1, z.shape[-1] + 1) / horizon
    boundary = np.sqrt(2 * (w * r + 1) / (np.square(w) * r) * np.log(np.sqrt(w * r + 1) / alpha))
    radius = np.where(w >= _MIN_WINDOWS, np.sqrt(variance) * boundary, np.inf)
    return np.maximum(mean - radius, -1.0), np.minimum(mean + radius, 1.0)


def decide(
    z: Floats, days: NDArray[np.int64], covered: Floats, rule: Rule
) -> tuple[Verdict, int | None]:
    """Return what the outcomes [n] lead to, and the index of the day that decided; None for none.

    `covered` [n] is the share of outcomes up to each day inside the challenger's interval. The
    verdict is the same whether the days are looked at one by one or many at once.
    """
    passed = days - days[:1] + 1
    low, high = rule.coverage
    better, worse = (
        (log_e_values(each, days, rule.horizon, rule.sigma) >= np.log(rule.threshold))
        & (passed >= rule.shortest)
        for each in (z, -z)
    )
    verdicts: list[tuple[Verdict, Bools]] = [
        ("promote", better & (covered >= low) & (covered <= high)),
        ("abort", worse),
        ("stop", passed >= rule.longest),
    ]
    firsts = [(int(np.argmax(met)), verdict) for verdict, met in verdicts if met.any()]
    if not firsts:
        return "continue", None
    # Of two on one day the first named counts: `min` compares the day alone.
    day, verdict = min(firsts, key=lambda first: first[0])
    return verdict, day
