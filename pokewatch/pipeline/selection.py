"""Selecting the model to deploy among the evaluated candidates, and the gate's decision on it."""

from collections.abc import Sequence
from dataclasses import dataclass

from pokewatch.checks import Check, failures
from pokewatch.contract import TOO_FEW_PERIODS, Skill
from pokewatch.errors import GateError
from pokewatch.notify import send_once
from pokewatch.pipeline.experiments import held_by
from pokewatch.pipeline.model_records import record_refusal
from pokewatch.registry import NOT_EVALUATED, RegisteredModel, Registry
from pokewatch.valuation.evaluation import model_selection
from pokewatch.valuation.evaluation.gate import gate
from pokewatch.valuation.evaluation.model_selection import ModelSelection
from pokewatch.valuation.evaluation.runner import Evaluation
from pokewatch.valuation.evaluation.unevaluated import Unevaluated, headline, unjudged_checks
from pokewatch.valuation.models import MODELS


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """The selected model and why, the gate's checks, and the champion's version and model.

    `skill` is what the evaluation shows against forecasting the last price. `not_evaluated` is the
    remark on a model that cannot be evaluated yet, "" for another one.
    """

    model: str
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    champion: tuple[str, str] | None
    skill: Skill
    not_evaluated: str = ""

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


def with_champion(names: Sequence[str]) -> list[str]:
    """Return `names` and the champion's model, which the gate compares with on the same days."""
    champion = Registry().find()
    model = champion.tags.get("model", "") if champion else ""
    return [*names, model] if model in MODELS and model not in names else list(names)


def select_model(
    candidates: Sequence[Evaluation | Unevaluated], registry: Registry | None = None
) -> GateOutcome:
    """Select the simplest model that no other beats and that is not inferior to the champion.

    Apply the gate's checks to it. The champion's model is selected as long as it passes them where
    an experiment decides on it. A model that cannot be evaluated yet is selected if there is no
    evaluated champion.
    """
    registry = registry or Registry()
    champion = registry.find()
    for each in candidates:
        if isinstance(each, Unevaluated):
            return _without_evaluation(each.model, each.missing, champion)
    evaluations = [each for each in candidates if isinstance(each, Evaluation)]
    model = champion.tags["model"] if champion else None
    rival = next((each for each in evaluations if each.model == model), None)
    choice = _held(rival, champion, registry) or model_selection.select_model(evaluations, model)
    chosen = next(each for each in evaluations if each.model == choice.model)
    return GateOutcome(
        choice.model,
        choice.reasons,
        tuple(gate(chosen, rival)),
        (champion.version, model) if champion and model else None,
        chosen.skill,
    )


def _held(
    rival: Evaluation | None, champion: RegisteredModel | None, registry: Registry
) -> ModelSelection | None:
    """Return the champion's model if an experiment decides on it and it passes the gate."""
    if rival is None or champion is None or not (reason := held_by(registry, champion)):
        return None
    if not all(check.passed for check in gate(rival, rival)):
        return None
    return ModelSelection(rival.model, (reason,))


def _without_evaluation(model: str, missing: str, champion: RegisteredModel | None) -> GateOutcome:
    evaluated = champion.version if champion and NOT_EVALUATED not in champion.tags else None
    return GateOutcome(
        model,
        (f"no model can be compared with another yet: {missing}",),
        tuple(unjudged_checks(missing, evaluated)),
        (champion.version, champion.tags.get("model", "")) if champion else None,
        TOO_FEW_PERIODS,
        headline(missing),
    )


def require_passed(outcome: GateOutcome) -> None:
    """Record a refusal, notify of it and raise GateError, with the failed checks."""
    if outcome.passed:
        return
    record_refusal(Registry(), outcome.model, outcome.checks)
    why = f"{outcome.model} did not pass the gate: {failures(outcome.checks)}"
    names = ", ".join(check.name for check in outcome.checks if not check.passed)
    champion = outcome.champion
    serving = f"Model version {champion[0]} stays champion" if champion else "There is no champion"
    send_once(
        "gate refused",
        f"{outcome.model}: {names}",
        f"the gate refused {outcome.model}",
        f"{why}. {serving}.",
    )
    raise GateError(why)
