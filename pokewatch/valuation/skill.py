"""The skill of a model, as its evaluation shows it against forecasting the last price."""

from collections.abc import Mapping

from pokewatch.contract import BETTER, NO_BETTER, TOO_FEW_PERIODS, Skill

MIN_WINDOWS = 8  # with fewer independent periods, an interval says little about the next one


def skill_of(scores: Mapping[str, float]) -> Skill:
    """Return what the scores of an evaluation show.

    `beats_last_price` is 1 where the 95% interval of the error relative to the last price's is
    below 1, and `windows` the number of independent periods. A model without these scores has not
    been evaluated yet.
    """
    if "beats_last_price" not in scores:
        return TOO_FEW_PERIODS
    if not scores.get("beats_last_price"):
        return NO_BETTER
    return BETTER if scores.get("windows", 0.0) >= MIN_WINDOWS else TOO_FEW_PERIODS
