"""Reliability of `confidence`: of all signals given with 70%, 70% should come true."""

from typing import Any

import numpy as np

from pokewatch.decision import BUY, SIGNALS, Distribution, Thresholds, decide
from pokewatch.valuation.book import STATUSES
from pokewatch.valuation.evaluation.scores import Forecasts

BINS = 10


def reliability(rows: Forecasts, thresholds: Thresholds | None = None) -> list[dict[str, Any]]:
    """Return n, mean confidence and observed frequency, by signal and tenth of confidence.

    Only bins that occur are returned; rows without an interval have no confidence. BUY comes true
    if the quote at the horizon is above the one the signal was given for, SELL if it is below, HOLD
    if it is within the two thresholds of it.
    """
    thresholds = thresholds or Thresholds()
    valued = np.isfinite(rows.fair)
    last, truth = rows.last[valued], rows.truth[valued]
    decided = decide(
        last,
        rows.fair[valued],
        rows.lower[valued],
        rows.upper[valued],
        np.asarray(STATUSES)[rows.status[valued]],
        distribution=Distribution.from_array(rows.distribution[valued]),
        thresholds=thresholds,
    )
    within = (truth > last * (1 + np.asarray(thresholds.buy))) & (
        truth <= last * (1 + np.asarray(thresholds.sell))
    )
    came_true = dict.fromkeys(SIGNALS, within) | {BUY: truth > last, "SELL": truth < last}
    known = np.isfinite(decided.confidence)
    tenth = np.minimum((np.where(known, decided.confidence, 0) * BINS).astype(np.int64), BINS - 1)
    found = []
    for signal in SIGNALS:
        for number in range(BINS):
            inside = known & (decided.signal == signal) & (tenth == number)
            if inside.any():
                found.append(
                    {
                        "signal": signal,
                        "from": number / BINS,
                        "to": (number + 1) / BINS,
                        "n": int(inside.sum()),
                        "confidence": float(decided.confidence[inside].mean()),
                        "observed": float(came_true[signal][inside].mean()),
                    }
                )
    return found
