"""Forecasts of the last day at further horizons than the model's own.

A card that has been quoted on fewer days than a horizon has no interval at it. Prices fall for
weeks after a release, and the moves of older cards, which intervals are calibrated on, do not show
how far.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.book import HorizonForecasts
from pokewatch.valuation.evaluation.young import missing_history
from pokewatch.valuation.intervals import THIN_HISTORY
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.walk_forward import walk_forward


def further_horizons(
    panel: Panel, horizon: int, others: Sequence[int]
) -> tuple[list[int], dict[int, str]]:
    """Return those of `others` that the history allows, and by horizon why it does not.

    A horizon is allowed if a model can be evaluated at it. `horizon` itself is left out.
    """
    reasons = {
        other: missing_history(panel, other) for other in sorted(set(others)) if other != horizon
    }
    return (
        [other for other, reason in reasons.items() if not reason],
        {other: reason for other, reason in reasons.items() if reason},
    )


def forecast_horizons(panel: Panel, name: str, horizons: Sequence[int]) -> HorizonForecasts:
    """Return the forecasts of the panel's last day at each horizon, in days.

    At each, a model called `name` is trained and calibrated as one that is served.
    """
    if not horizons:
        return HorizonForecasts.none(panel.cards)
    ordered, last = tuple(sorted(set(horizons))), [panel.days - 1]
    found: dict[str, list[NDArray[Any]]] = {"fair": [], "lower": [], "upper": [], "status": []}
    for horizon in ordered:
        for features, values in walk_forward(panel, name, horizon, last):
            young = features.quoted_days < horizon
            found["fair"].append(values.fair)
            found["lower"].append(np.where(young, np.nan, values.lower))
            found["upper"].append(np.where(young, np.nan, values.upper))
            found["status"].append(np.where(young, THIN_HISTORY, values.status))
    prices = {edge: np.stack(found[edge]).astype(np.float32) for edge in ("fair", "lower", "upper")}
    return HorizonForecasts(ordered, **prices, status=np.stack(found["status"]).astype(np.int8))
