"""Choosing: the simplest model that is not beaten ships."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pokewatch.valuation.evaluation.runner import Evaluation
from pokewatch.valuation.evaluation.scores import paired_difference
from pokewatch.valuation.models import MODELS


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more a rival errs on the same card-days, as a share of the last price's error, with its 95% interval."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


@dataclass(frozen=True, slots=True)
class ModelSelection:
    """The model, and in one sentence each why it and not another."""

    model: str
    reasons: tuple[str, ...]


def select_model(evaluations: Sequence[Evaluation]) -> ModelSelection:
    """The simplest model that no other beats; should each be beaten by some other, the one with the smallest error.

    Raises ValueError where there is nothing to choose from or the evaluations are not of the same card-days.
    """
    if not evaluations:
        raise ValueError("there are no evaluations to choose from")
    ordered = sorted(evaluations, key=lambda found: list(MODELS).index(found.model))
    unbeaten = [
        found
        for found in ordered
        if not any(beats(rival, found) for rival in ordered if rival is not found)
    ]
    chosen = (
        unbeaten[0]
        if unbeaten
        else min(ordered, key=lambda found: float(found.sums["error"].sum()))
    )
    return ModelSelection(
        chosen.model,
        tuple(_reason(chosen, other, ordered) for other in ordered if other is not chosen),
    )


def beats(evaluation: Evaluation, rival: Evaluation) -> bool:
    """Whether the rival errs more on the same card-days, with the whole interval of the difference above zero."""
    return difference(evaluation, rival).low > 0


def difference(evaluation: Evaluation, rival: Evaluation) -> Difference:
    """How much more the rival errs than `evaluation`. Raises ValueError where they are not of the same card-days."""
    if (evaluation.horizon, evaluation.origins) != (rival.horizon, rival.origins):
        raise ValueError(
            f"{evaluation.model} and {rival.model} were not evaluated on the same days and horizon"
        )
    if not np.array_equal(evaluation.sums["quoted"], rival.sums["quoted"]):
        raise ValueError(
            f"{evaluation.model} and {rival.model} were not evaluated on the same card-days"
        )
    return Difference(*paired_difference(evaluation.sums, rival.sums, evaluation.weights()))


def _reason(chosen: Evaluation, other: Evaluation, ordered: Sequence[Evaluation]) -> str:
    found = difference(chosen, other)
    figures = f"{other.model} errs {found} of the last price's error more"
    if beats(chosen, other):
        return f"{chosen.model} beats {other.model}: {figures}"
    if ordered.index(other) > ordered.index(chosen):
        return f"{other.model} is less simple and does not beat {chosen.model}: {figures}"
    return f"{other.model} is simpler, but is itself beaten: {figures}"
