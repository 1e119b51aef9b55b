"""Scoring champion and challenger on the same cards, by the forecasts stored at the time."""

from dataclasses import replace

import numpy as np

from pokewatch.experiments.results import DayResult
from pokewatch.experiments.sequential import scaled_difference
from pokewatch.monitoring.outcomes import is_due, is_of_market, issue_of, prices_on
from pokewatch.registry import RegisteredModel
from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.track_record import OTHER_MARKET

Forecaster = tuple[RegisteredModel, PriceBook]
NOT_SAME = "not of the same day and horizon"


def score_day(panel: Panel, champion: Forecaster, challenger: Forecaster) -> DayResult | None:
    """Return the result of one day's forecasts, None while their outcome is not known.

    A day is excluded where either book was written after the day it was for, or is of another
    market than the panel, or the two are not of the same day and horizon.
    """
    currency = champion[1].facts.currency
    first, second = (
        issue_of(model, book, currency, book.facts.created_at.date())
        for model, book in (champion, challenger)
    )
    result = DayResult(
        issued_on=second.issued_on,
        due_on=second.due_on,
        champion_version=first.model_version,
        challenger_version=second.model_version,
    )
    if (first.issued_on, first.due_on) != (second.issued_on, second.due_on):
        return replace(result, excluded=NOT_SAME)
    if reason := first.excluded or second.excluded:
        return replace(result, excluded=reason)
    if not is_due(panel, second):
        return None
    if not is_of_market(panel, first, champion[1]):
        return replace(result, excluded=OTHER_MARKET)
    return _scored(panel, result, champion[1], challenger[1])


def _scored(
    panel: Panel, result: DayResult, champion: PriceBook, challenger: PriceBook
) -> DayResult:
    ids = sorted(set(champion.cards.ids) & set(challenger.cards.ids))
    one, other = champion.look_up(ids), challenger.look_up(ids)
    both = (one.fair > 0) & (other.fair > 0) & (one.market > 0)
    prices = prices_on(panel, result.due_on, ids)
    outcome = np.log(np.where(prices > 0, prices, np.nan))[both]
    forecasts = np.log(one.fair[both]), np.log(other.fair[both])
    z, scale = scaled_difference(*forecasts, outcome)
    judged = np.isfinite(outcome)
    lower, upper, came = other.lower[both], other.upper[both], prices[both]
    banded = judged & np.isfinite(lower) & np.isfinite(upper)
    errors = (
        float(np.nansum(np.abs(each - outcome))) for each in (*forecasts, np.log(one.market[both]))
    )
    champion_error, challenger_error, last_error = errors
    return replace(
        result,
        z=z if judged.any() else None,
        scale=scale,
        cards=int(both.sum()),
        judged=int(judged.sum()),
        champion_error=champion_error,
        challenger_error=challenger_error,
        last_error=last_error,
        covered=int((banded & (lower <= came) & (came <= upper)).sum()),
        intervals=int(banded.sum()),
    )
