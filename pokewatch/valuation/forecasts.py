"""Forecasts of the last day at further horizons than the model's own."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.book import HorizonForecasts
from pokewatch.valuation.evaluation.unevaluated import missing_history
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


def horizon_forecasts(found: Mapping[int, Values], cards: int) -> HorizonForecasts:
    """Return the forecasts of `cards` cards, from the values of the last day.

    `found` has them by horizon, in days. The model of a horizon is trained and calibrated as one
    that is served.
    """
    if not found:
        return HorizonForecasts.none(cards)
    horizons = tuple(sorted(found))

    def stacked(column: str) -> NDArray[Any]:
        return np.stack([getattr(found[horizon], column) for horizon in horizons])

    prices = {name: stacked(name).astype(np.float32) for name in ("fair", "lower", "upper")}
    return HorizonForecasts(horizons, **prices, status=stacked("status"))
