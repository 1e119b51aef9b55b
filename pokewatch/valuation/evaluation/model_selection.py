"""Model selection: the simplest model that no other beats."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pokewatch.valuation.evaluation.runner import Evaluation
from pokewatch.valuation.evaluation.scores import paired_difference
from pokewatch.valuation.models import MODELS


@dataclass(frozen=True, slots=True)
class Difference:
    """The excess error of a rival on the same card-days, with its 95% interval.

    All three are shares of the last price's error.
    """

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


@dataclass(frozen=True, slots=True)
class ModelSelection:
    """The selected model, and one sentence for each other model on why it was not selected."""

    model: str
    reasons: tuple[str, ...]


def select_model(evaluations: Sequence[Evaluation]) -> ModelSelection:
    """Return the simplest model that no other beats; if each is beaten, that with the least error.

    Raise ValueError without evaluations, or where they are not of the same card-days.
    """
    if not evaluations:
        raise ValueError("there are no evaluations to select a model from")
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
    """Return whether the rival's error is significantly larger on the same card-days.

    It is where the whole 95% interval of the difference is above zero.
    """
    return difference(evaluation, rival).low > 0


def difference(evaluation: Evaluation, rival: Evaluation) -> Difference:
    """Return the excess error of the rival over that of `evaluation`.

    Raise ValueError where they are not of the same card-days.
    """
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
    figures = f"the excess error of {other.model} is {found} of the last price's error"
    if beats(chosen, other):
        return f"{chosen.model} beats {other.model}: {figures}"
    if ordered.index(other) > ordered.index(chosen):
        return f"{other.model} is more complex and does not beat {chosen.model}: {figures}"
    return f"{other.model} is simpler but is beaten by another model: {figures}"
