"""Reliability of `confidence`: of all signals given with 70%, 70% should come true."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pokewatch.decision import BUY, HOLD, SELL, SIGNALS, Thresholds
from pokewatch.valuation.evaluation.scores import Forecasts, decide_in_blocks
from pokewatch.valuation.evaluation.two_way import Clusters
from pokewatch.valuation.panel import Bools, Floats, Strings

BINS = 10
_CLOSE = 1e-9  # relative: 3.45 is 15% above 3.00, but 3.00 * 1.15 is less in floating point
Z_975 = 1.959963984540054  # standard normal quantile of the upper end of a 95% interval


def reliability(
    rows: Forecasts, clusters: Clusters | None = None, thresholds: Thresholds | None = None
) -> list[dict[str, Any]]:
    """Return n, mean confidence and observed frequency, by signal and tenth of confidence.

    Only bins that occur are returned; rows without an interval have no confidence. BUY comes true
    if the quote at the horizon is above the one the signal was given for, SELL if it is below, HOLD
    if it is within the two thresholds of it. With the `clusters` of the rows, each bin has the 95%
    interval of its frequency, `observed_ci`: signals of one card or one day come true together, so
    the binomial error alone would be too small. The error is never below the binomial one: a few
    signals that all come true do not tell how much they vary.
    """
    thresholds = thresholds or Thresholds()
    valued = np.isfinite(rows.fair)
    of_valued = None if clusters is None else clusters.select(valued)
    last, truth = rows.last[valued], rows.truth[valued]
    signal, confidence = decide_in_blocks(
        last,
        rows.fair[valued],
        rows.lower[valued],
        rows.upper[valued],
        rows.status[valued],
        rows.distribution[valued],
        thresholds,
    )
    return reliability_of(signal, confidence, outcomes_of(last, truth, thresholds), of_valued)


def outcomes_of(last: Floats, truth: Floats, thresholds: Thresholds) -> dict[str, Bools]:
    """Return for each signal whether it comes true, from the quotes then and at the horizon [m]."""
    within = (truth > last * (1 + np.asarray(thresholds.buy)) * (1 + _CLOSE)) & (
        truth <= last * (1 + np.asarray(thresholds.sell)) * (1 + _CLOSE)
    )
    return {BUY: truth > last, HOLD: within, SELL: truth < last}


def reliability_of(
    signal: Strings,
    confidence: Floats,
    came_true: Mapping[str, Bools],
    clusters: Clusters | None,
) -> list[dict[str, Any]]:
    """Return the reliability of stated signals [m] and confidences [m], NaN where none is stated.

    `came_true` [m] says for each signal whether it would have come true.
    """
    known = np.isfinite(confidence)
    tenth = np.minimum((np.where(known, confidence, 0) * BINS).astype(np.int64), BINS - 1)
    found = []
    for each in SIGNALS:
        for number in range(BINS):
            inside = known & (signal == each) & (tenth == number)
            if inside.any():
                stated, true = confidence[inside], came_true[each][inside]
                row = {
                    "signal": each,
                    "from": number / BINS,
                    "to": (number + 1) / BINS,
                    "n": int(inside.sum()),
                    "confidence": float(stated.mean()),
                    "observed": float(true.mean()),
                }
                if clusters is not None:
                    row["observed_ci"] = _interval(stated, true, clusters.select(inside))
                found.append(row)
    return found


def _interval(confidence: Floats, true: Bools, clusters: Clusters) -> list[float]:
    """Return the 95% interval of the frequency, from the errors of `true` - `confidence` [m]."""
    gap = clusters.ratio(true - confidence, np.ones(len(true)))
    assert gap is not None  # there is at least one row
    binomial = float(np.sqrt((confidence * (1.0 - confidence)).sum())) / len(true)
    half_width = max(gap.half_width(), Z_975 * binomial)
    observed = float(true.mean())
    return [max(observed - half_width, 0.0), min(observed + half_width, 1.0)]
