"""Model selection: the simplest model that no other beats and that is not inferior to the champion.

A model beats another where its error is smaller at the 5% level, with the p-values of all pairs
adjusted by Holm's method: with five models there are ten chances to find a difference.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pokewatch.settings import GateSettings
from pokewatch.valuation.evaluation.runner import Evaluation
from pokewatch.valuation.evaluation.two_way import LEVEL, Estimate, holm
from pokewatch.valuation.models import MODELS


@dataclass(frozen=True, slots=True)
class ModelSelection:
    """The selected model, and one sentence for each other model on why it was not selected."""

    model: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models, the simpler first, and the excess error of the simpler one.

    `excess` is a share of the last price's error, None if unknown; `p_value` is adjusted.
    """

    simpler: Evaluation
    other: Evaluation
    excess: Estimate | None
    p_value: float

    @property
    def beaten(self) -> Evaluation | None:
        """The model whose error is significantly larger, if any."""
        if self.excess is None or self.p_value >= 1 - LEVEL:
            return None
        return self.simpler if self.excess.value > 0 else self.other


def select_model(
    evaluations: Sequence[Evaluation],
    champion: str | None = None,
    settings: GateSettings | None = None,
) -> ModelSelection:
    """Return the simplest model that no other beats and that is not inferior to the champion.

    `champion` is the model that runs now, None if there is none or it was not evaluated. Where no
    model qualifies, the one with the least error is selected. Raise ValueError without evaluations,
    or where they are not of the same card-days.
    """
    if not evaluations:
        raise ValueError("there are no evaluations to select a model from")
    ordered = sorted(evaluations, key=lambda found: list(MODELS).index(found.model))
    margin = (settings or GateSettings.read()).gate_champion_margin
    running = next((found for found in ordered if found.model == champion), None)
    comparisons = compare(ordered)
    beaten = {each.beaten.model for each in comparisons if each.beaten}
    unbeaten = [found for found in ordered if found.model not in beaten]
    suitable = [
        found for found in unbeaten if running is None or not_inferior(found, running, margin)
    ]
    chosen = suitable[0] if suitable else min(unbeaten or ordered, key=_total_error)
    reasons = _reasons(chosen, comparisons, beaten, {found.model for found in suitable})
    return ModelSelection(chosen.model, tuple(reasons))


def compare(ordered: Sequence[Evaluation]) -> list[Comparison]:
    """Return the comparison of every pair of evaluations, which are in order of complexity."""
    pairs = list(combinations(ordered, 2))
    excesses = [excess_error(simpler, other) for simpler, other in pairs]
    p_values = holm([1.0 if excess is None else excess.p_value() for excess in excesses])
    return [
        Comparison(*pair, excess, p_value)
        for pair, excess, p_value in zip(pairs, excesses, p_values, strict=True)
    ]


def excess_error(evaluation: Evaluation, reference: Evaluation) -> Estimate | None:
    """Return the error of `evaluation` in excess of the reference's, on the same card-days.

    It is a share of the last price's error, on the settled origins if there are any; None if
    unknown. Raise ValueError where the two are not of the same card-days.
    """
    names = f"{evaluation.model} and {reference.model}"
    if (evaluation.horizon, evaluation.origins) != (reference.horizon, reference.origins):
        raise ValueError(f"{names} were not evaluated on the same days and horizon")
    if not evaluation.errors.same_card_days(reference.errors):
        raise ValueError(f"{names} were not evaluated on the same card-days")
    settled = np.asarray(evaluation.settled, dtype=np.bool_)
    return reference.errors.excess(
        evaluation.errors,
        evaluation.origins,
        evaluation.horizon,
        settled if settled.any() else None,
    )


def not_inferior(candidate: Evaluation, champion: Evaluation, margin: float) -> bool:
    """Return whether the candidate's excess error is within `margin`, with its whole interval."""
    excess = excess_error(candidate, champion)
    return excess is not None and excess.high <= margin


def _total_error(found: Evaluation) -> float:
    return float(found.sums["error"].sum())


def _reasons(
    chosen: Evaluation, comparisons: Sequence[Comparison], beaten: set[str], suitable: set[str]
) -> Iterator[str]:
    for each in comparisons:
        if chosen is not each.simpler and chosen is not each.other:
            continue
        simpler, other = each.simpler.model, each.other.model
        figures = (
            f"the excess error of {simpler} is {each.excess or 'unknown'} of the last price's "
            f"error, p {_p(each.p_value)} after Holm's correction"
        )
        rival = simpler if chosen is each.other else other
        if each.beaten is not None and each.beaten is not chosen:
            yield f"{chosen.model} beats {rival}: {figures}"
        elif rival in beaten:
            yield f"{rival} is beaten by another model: {figures}"
        elif rival not in suitable:
            yield f"{rival} may be inferior to the champion: {figures}"
        else:
            yield f"{other} is more complex and does not beat {simpler}: {figures}"


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"= {value:.4f}"
