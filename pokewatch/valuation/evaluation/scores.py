"""Scores of forecasts with confidence intervals from resampling blocks of days.

Errors are on the log price. Every score is the ratio of two sums over card-days, so resampling days
is a weighted sum.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.decision import BUY, HOLD, SELL, decide
from pokewatch.valuation.book import STATUSES
from pokewatch.valuation.intervals import BANDS, LIQUIDITIES, TAIL
from pokewatch.valuation.panel import Bools, Floats

RESAMPLES = 1000
_SEED = 20_251_121


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Forecasts [m], one for each card-day with a quote then (`last`) and at the horizon (`truth`).

    Prices are not logs. `origin` is the number of the day the forecast was made, `status`, `band`
    and `liquidity` are indices into STATUSES, BANDS and LIQUIDITIES, and `renewed` is True where
    the truth is newer than the forecast.
    """

    origin: NDArray[np.int64]
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
_OF_INTERVAL = ("covered", "width", "winkler", "pinball", "interval")
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


def winkler(truth: Floats, lower: Floats, upper: Floats, alpha: float = 2 * TAIL) -> Floats:
    """Return the Winkler score: the width plus 2/alpha times the distance outside, [m].

    Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation", JASA 2007,
    eq. 43.
    """
    below, above = np.maximum(lower - truth, 0.0), np.maximum(truth - upper, 0.0)
    score: Floats = (upper - lower) + 2.0 / alpha * (below + above)
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
    error = fair - truth
    direction = (rows.truth != rows.last) & (np.abs(fair - last) > 1e-9)
    signal = decide(
        rows.last, np.exp(fair), np.exp(lower), np.exp(upper), np.asarray(STATUSES)[rows.status]
    ).signal
    found = {
        "error": np.abs(error),
        "error_last": np.abs(last - truth),
        "error_median7": np.abs(np.log(rows.median7) - truth),
        "percentage_error": 100.0 * np.abs(np.expm1(error)),
        "squared_error": np.square(error),
        "signed_error": error,
        "covered": (truth >= lower - 1e-9) & (truth <= upper + 1e-9),
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
    }
    known = valued & np.isfinite(upper - lower)
    return {
        name: np.where(known if name in _OF_INTERVAL else valued, term, 0.0)
        for name, term in found.items()
    } | {"quoted": np.ones(len(valued))}


def daily_sums(
    found: Mapping[str, Floats], origin: NDArray[np.int64], origins: int
) -> dict[str, Floats]:
    """Return the sums by origin, [origins]."""
    return {
        name: np.bincount(origin, weights=term, minlength=origins).astype(np.float64, copy=False)
        for name, term in found.items()
    }


def block_weights(origins: int, block: int, resamples: int = RESAMPLES) -> Floats:
    """Return how often each origin is drawn in each resample, [resamples, origins].

    Circular blocks of `block` consecutive origins are drawn, always with the same seed (Politis and
    Romano, "A circular block-resampling procedure for stationary data", 1992).
    """
    rng = np.random.default_rng(_SEED)
    blocks = -(-origins // block)
    starts = rng.integers(0, origins, size=(resamples, blocks, 1))
    drawn = ((starts + np.arange(block)) % origins).reshape(resamples, -1)[:, :origins]
    flat = (drawn + origins * np.arange(resamples)[:, None]).ravel()
    weights: Floats = (
        np.bincount(flat, minlength=resamples * origins)
        .reshape(resamples, origins)
        .astype(np.float64)
    )
    return weights


def score(sums: Mapping[str, Floats], weights: Floats) -> dict[str, Any]:
    """Return every score with its 95% interval `<score>_ci`; None where the denominator is zero."""
    found: dict[str, Any] = {"n": int(sums["quoted"].sum())}
    for name, (above, below) in SCORES.items():
        found[name] = _plain(_ratio(name, sums[above].sum(), sums[below].sum()))
        if name in WITH_INTERVAL:
            drawn = _ratio(name, _resampled(sums[above], weights), _resampled(sums[below], weights))
            drawn = drawn[np.isfinite(drawn)]
            found[f"{name}_ci"] = (
                [float(edge) for edge in np.quantile(drawn, (0.025, 0.975))] if len(drawn) else None
            )
    return found


def paired_difference(
    sums: Mapping[str, Floats], rival: Mapping[str, Floats], weights: Floats
) -> tuple[float, float, float]:
    """Return the rival's excess absolute error and the low and high end of its 95% interval.

    All three are shares of the last price's error.
    """
    difference, scale = rival["error"] - sums["error"], sums["error_last"]
    drawn = _ratio("", _resampled(difference, weights), _resampled(scale, weights))
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return 0.0, 0.0, 0.0
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(difference.sum() / scale.sum()), float(low), float(high)


def _resampled(sums: Floats, weights: Floats) -> Floats:
    """Return the sum of each resample. The rounding of a matrix product depends on the machine."""
    total: Floats = (weights * sums).sum(axis=1)
    return total


def _ratio(name: str, above: Any, below: Any) -> Any:
    ratio = np.divide(
        above, below, out=np.full(np.shape(below), np.nan), where=np.asarray(below) > 0
    )
    return np.sqrt(ratio) if name == "rmse" else ratio


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
