"""Training the candidates and evaluating them."""

from collections.abc import Sequence
from typing import Any

from pokewatch.pipeline.storage import open_panel, open_quoted_days
from pokewatch.valuation.evaluation.runner import COSTLY, Evaluation, evaluate
from pokewatch.valuation.evaluation.unevaluated import Unevaluated, missing_history
from pokewatch.valuation.forecasts import further_horizons
from pokewatch.valuation.models import create
from pokewatch.valuation.models.averages import Last
from pokewatch.valuation.training_set import training_set_of


def train(data_version: str, names: Sequence[str], horizon: int) -> dict[str, dict[str, Any]]:
    """Fit each model on the whole panel; return its parameters by name.

    Where no model can be evaluated yet, the last price alone is fitted.
    """
    panel = open_panel(data_version)
    if missing_history(panel.quoted_days, horizon):
        names = [Last.name]
    training_set = training_set_of(panel, horizon)
    return {
        name: create(name, horizon).fit_training_set(*training_set).parameters() for name in names
    }


def trials(
    names: Sequence[str], horizons: Sequence[int], left_out: Sequence[tuple[int, str]]
) -> list[tuple[str, list[int]]]:
    """Return the models to evaluate, each with the horizons that one task evaluates it at.

    The horizons of a costly model are tasks of their own, which can run at once; those of another
    one take less time than a task needs to begin. The first horizon is the one served. `left_out`
    are those that are `too_long`.
    """
    long = {horizon for horizon, _ in left_out}
    evaluated = [horizon for horizon in dict.fromkeys(horizons) if horizon not in long]
    apart = [[horizon] for horizon in evaluated]
    return [
        (name, together)
        for name in names
        for together in (apart if name in COSTLY else [evaluated])
    ]


def too_long(data_version: str, horizons: Sequence[int]) -> list[tuple[int, str]]:
    """Return the horizons after the first that the days are too few for, and why."""
    quoted = open_quoted_days(data_version)
    _, reasons = further_horizons(quoted, horizons[0], horizons[1:])
    return list(reasons.items())


def evaluate_candidate(data_version: str, name: str, horizon: int) -> Evaluation | Unevaluated:
    """Return the walk-forward evaluation of one model, or why there can be none yet."""
    panel = open_panel(data_version)
    if missing := missing_history(panel.quoted_days, horizon):
        return Unevaluated(name, horizon, missing)
    (found,) = evaluate(panel, [name], horizon)
    return found
