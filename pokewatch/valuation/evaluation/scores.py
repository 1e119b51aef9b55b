"""Scores of forecasts, with confidence intervals that allow for common cards and common dates.

Errors are on the log price. Every score with an interval is the ratio of two sums over card-days;
`two_way` has its error.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.decision import BUY, HOLD, SELL, Distribution, Thresholds, decide
from pokewatch.valuation.book import STATUSES
from pokewatch.valuation.evaluation.two_way import Clusters, Estimate
from pokewatch.valuation.intervals import BANDS, LIQUIDITIES, TAIL
from pokewatch.valuation.panel import Bools, Floats, Strings

TRIMMED = 0.01  # share of the largest errors left out of the trimmed mean
_ROUNDING = 1e-9  # log: two prices this close are the same price


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Forecasts [m], one for each card-day with a quote then (`last`) and at the horizon (`truth`).

    Prices are not logs. `origin` is the number of the day the forecast was made, `card` the card's
    index in the panel, `status`, `band` and `liquidity` are indices into STATUSES, BANDS and
    LIQUIDITIES, and `renewed` is True where the truth is newer than the forecast. `distribution`
    [m, WIDTH] are `Distribution.to_array`.
    """

    origin: NDArray[np.int64]
    card: NDArray[np.int64]
    last: Floats
    median7: Floats
    truth: Floats
    fair: Floats
    lower: Floats
    upper: Floats
    status: NDArray[np.int8]
    band: NDArray[np.int64]
    liquidity: NDArray[np.int64]
    renewed: Bools
    distribution: Floats


_BLOCK = 100_000  # rows that are decided on at a time

# score: (numerator, denominator); means are over "valued", or over those with an "interval"
SCORES: Mapping[str, tuple[str, str]] = {
    "rmae_last": ("error", "error_last"),
    "rmae_median7": ("error", "error_median7"),
    "mape": ("percentage_error", "valued"),
    "rmse": ("squared_error", "valued"),
    "bias": ("signed_error", "valued"),
    "coverage_90": ("covered", "interval"),
    "width": ("width", "interval"),
    "winkler_90": ("winkler", "interval"),
    "pinball": ("pinball", "interval"),
    "directional_accuracy": ("right_direction", "direction"),
    "coverage_rate": ("valued", "quoted"),
    "buy_rate": ("buy", "valued"),
    "sell_rate": ("sell", "valued"),
    "hold_rate": ("hold", "valued"),
}
_OF_INTERVAL = (
    "covered",
    "width",
    "winkler",
    "pinball",
    "interval",
    "renewed_covered",
    "renewed_interval",
)
WITH_INTERVAL = (
    "rmae_last",
    "rmae_median7",
    "mape",
    "rmse",
    "bias",
    "coverage_90",
    "width",
    "winkler_90",
    "pinball",
    "directional_accuracy",
)
_SIGNED, _SHARES = ("bias",), ("coverage_90", "directional_accuracy")


def winkler(truth: Floats, lower: Floats, upper: Floats) -> Floats:
    """Return the Winkler score: the width plus the distance outside times 1/TAIL, [m].

    Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation", JASA 2007,
    eq. 43, of the interval between the quantiles TAIL and 1 - TAIL.
    """
    below, above = np.maximum(lower - truth, 0.0), np.maximum(truth - upper, 0.0)
    score: Floats = (upper - lower) + 1.0 / TAIL * (below + above)
    return score


def pinball(truth: Floats, forecast: Floats, level: float) -> Floats:
    """Return the quantile loss at `level`, [m] (Koenker and Bassett, Econometrica 1978)."""
    error = truth - forecast
    loss: Floats = np.maximum(level * error, (level - 1.0) * error)
    return loss


def price_groups(rows: Forecasts) -> Iterator[tuple[dict[str, str], Bools]]:
    """Yield the names and the mask [m] of each price band and liquidity that occurs."""
    for band, band_name in enumerate(BANDS):
        for liquidity, liquidity_name in enumerate(LIQUIDITIES):
            inside = (rows.band == band) & (rows.liquidity == liquidity)
            if inside.any():
                yield {"price_band": band_name, "liquidity": liquidity_name}, inside


def terms(rows: Forecasts) -> dict[str, Floats]:
    """Return the contribution of each row [m] to each sum."""
    truth, last = np.log(rows.truth), np.log(rows.last)
    valued = np.isfinite(rows.fair)
    fair, lower, upper = (
        np.log(np.where(valued, prices, rows.last))
        for prices in (rows.fair, rows.lower, rows.upper)
    )
    # Rounding must not make a forecast of the last price differ from the last price.
    fair = np.where(np.abs(fair - last) > _ROUNDING, fair, last)
    error = fair - truth
    covered = (truth >= lower - _ROUNDING) & (truth <= upper + _ROUNDING)
    direction = (rows.truth != rows.last) & (fair != last)
    prices = np.exp(fair), np.exp(lower), np.exp(upper)
    signal, _ = decide_in_blocks(rows.last, *prices, rows.status)
    found = {
        "error": np.abs(error),
        "error_last": np.abs(last - truth),
        "error_median7": np.abs(np.log(rows.median7) - truth),
        "percentage_error": 100.0 * np.abs(np.expm1(error)),
        "squared_error": np.square(error),
        "signed_error": error,
        "covered": covered,
        "width": upper - lower,
        "winkler": winkler(truth, lower, upper),
        "pinball": (
            pinball(truth, lower, TAIL)
            + pinball(truth, fair, 0.5)
            + pinball(truth, upper, 1 - TAIL)
        )
        / 3.0,
        "right_direction": direction & ((fair > last) == (truth > last)),
        "direction": direction,
        "buy": signal == BUY,
        "sell": signal == SELL,
        "hold": signal == HOLD,
        "valued": valued,
        "interval": np.ones(len(valued)),
        "renewed_covered": covered & rows.renewed,
        "renewed_interval": rows.renewed,
    }
    known = valued & np.isfinite(upper - lower)
    return {
        name: np.where(known if name in _OF_INTERVAL else valued, term, 0.0)
        for name, term in found.items()
    } | {"quoted": np.ones(len(valued))}


def decide_in_blocks(
    last: Floats,
    fair: Floats,
    lower: Floats,
    upper: Floats,
    status: NDArray[np.int8],
    distribution: Floats | None = None,
    thresholds: Thresholds | None = None,
) -> tuple[Strings, Floats]:
    """Return the signals and confidences of rows [m]; `status` is an index into STATUSES.

    All at once would take memory of many times their size.
    """
    signal, confidence, names = [], [], np.asarray(STATUSES)
    for first in range(0, max(len(last), 1), _BLOCK):
        part = slice(first, first + _BLOCK)
        found = decide(
            last[part],
            fair[part],
            lower[part],
            upper[part],
            names[status[part]],
            distribution=None
            if distribution is None
            else Distribution.from_array(distribution[part]),
            thresholds=thresholds or Thresholds(),
        )
        signal.append(found.signal)
        confidence.append(found.confidence)
    return np.concatenate(signal), np.concatenate(confidence)


def daily_sums(
    found: Mapping[str, Floats], origin: NDArray[np.int64], origins: int
) -> dict[str, Floats]:
    """Return the sums by origin, [origins]."""
    return {
        name: np.bincount(origin, weights=term, minlength=origins).astype(np.float64, copy=False)
        for name, term in found.items()
    }


def score(found: Mapping[str, Floats], clusters: Clusters) -> dict[str, Any]:
    """Return every score of the `terms`; None where the denominator is zero.

    A score of WITH_INTERVAL has its 95% interval beside it, as `<score>_ci`; None for one card.
    """
    scores: dict[str, Any] = {"n": int(found["quoted"].sum())}
    for name, (above, below) in SCORES.items():
        if name not in WITH_INTERVAL:
            total = float(found[below].sum())
            scores[name] = float(found[above].sum()) / total if total > 0 else None
            continue
        estimate = clusters.ratio(found[above], found[below])
        value, ends = estimate and estimate.value, estimate and interval_of(name, estimate)
        if name == "rmse":  # the root of a ratio
            value, ends = value and value**0.5, ends and (ends[0] ** 0.5, ends[1] ** 0.5)
        scores[name], scores[f"{name}_ci"] = value, ends and list(ends)
    return scores | {"trimmed_mape": trimmed_mean(found["percentage_error"], found["valued"] > 0)}


def interval_of(name: str, estimate: Estimate) -> tuple[float, float] | None:
    """Return the 95% interval of a score without the values that it cannot have; None for one card.

    Half of its width is an error either way, which may reach below 0, or of a share above 1.
    """
    if not np.isfinite(estimate.high):
        return None
    low = estimate.low if name in _SIGNED else max(estimate.low, 0.0)
    return low, min(estimate.high, 1.0) if name in _SHARES else estimate.high


def trimmed_mean(values: Floats, valued: Bools) -> float | None:
    """Return the mean of the values [m] where `valued`, without the largest TRIMMED of them.

    At least one is left out, unless it is the only one: one wrong quote must not decide.
    """
    ascending = np.sort(values[valued])
    left_out = min(int(np.ceil(TRIMMED * len(ascending))), len(ascending) - 1)
    return float(ascending[: len(ascending) - left_out].mean()) if len(ascending) else None
