"""Forecasts of the last day at further horizons than the model's own.

A card that has been quoted on fewer days than a horizon has no interval at it. Prices fall for
weeks after a release, and the moves of older cards, which intervals are calibrated on, do not show
how far.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.book import HorizonForecasts
from pokewatch.valuation.evaluation.young import missing_history
from pokewatch.valuation.features import DayFeatures
from pokewatch.valuation.intervals import THIN_HISTORY
from pokewatch.valuation.models import Values
from pokewatch.valuation.panel import Bools


def further_horizons(
    quoted: Bools, horizon: int, others: Sequence[int]
) -> tuple[list[int], dict[int, str]]:
    """Return those of `others` that the history allows, and by horizon why it does not.

    A horizon is allowed if a model can be evaluated at it. `horizon` itself is left out. `quoted`
    are the `quoted_days` of the panel.
    """
    reasons = {
        other: missing_history(quoted, other) for other in sorted(set(others)) if other != horizon
    }
    return (
        [other for other, reason in reasons.items() if not reason],
        {other: reason for other, reason in reasons.items() if reason},
    )


def horizon_forecasts(
    found: Mapping[int, tuple[DayFeatures, Values]], cards: int
) -> HorizonForecasts:
    """Return the forecasts of `cards` cards, from the features and values of the last day.

    `found` has them by horizon, in days. The model of a horizon is trained and calibrated as one
    that is served.
    """
    if not found:
        return HorizonForecasts.none(cards)
    columns: dict[str, list[NDArray[Any]]] = {"fair": [], "lower": [], "upper": [], "status": []}
    ordered = tuple(sorted(found))
    for horizon in ordered:
        features, values = found[horizon]
        young = features.quoted_days < horizon
        columns["fair"].append(values.fair)
        columns["lower"].append(np.where(young, np.nan, values.lower))
        columns["upper"].append(np.where(young, np.nan, values.upper))
        columns["status"].append(np.where(young, THIN_HISTORY, values.status))
    prices = {
        edge: np.stack(columns[edge]).astype(np.float32) for edge in ("fair", "lower", "upper")
    }
    return HorizonForecasts(ordered, **prices, status=np.stack(columns["status"]).astype(np.int8))
