"""Training and evaluating the candidates, and selecting the one to deploy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pokewatch.checks import Check, failures
from pokewatch.contract import Skill
from pokewatch.errors import GateError
from pokewatch.notify import send_once
from pokewatch.pipeline.collection import Collected
from pokewatch.pipeline.storage import open_panel
from pokewatch.registry import Registry
from pokewatch.valuation.evaluation import model_selection
from pokewatch.valuation.evaluation.gate import gate
from pokewatch.valuation.evaluation.runner import Evaluation, days_needed, evaluate
from pokewatch.valuation.models import MODELS, create


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """The selected model and why, the gate's checks, and the champion's version and model.

    `skill` is what the evaluation shows against forecasting the last price.
    """

    model: str
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    champion: tuple[str, str] | None
    skill: Skill

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


def with_champion(names: Sequence[str]) -> list[str]:
    """Return `names` and the champion's model, which the gate compares with on the same days."""
    champion = Registry().find()
    model = champion.tags.get("model", "") if champion else ""
    return [*names, model] if model in MODELS and model not in names else list(names)


def train(data_version: str, names: Sequence[str], horizon: int) -> dict[str, dict[str, Any]]:
    """Fit each model on the whole panel; return its parameters."""
    panel = open_panel(data_version)
    return {name: create(name, horizon).fit(panel).parameters() for name in names}


def trials(
    collected: Collected, names: Sequence[str], horizons: Sequence[int]
) -> list[tuple[str, int]]:
    """Return the models and horizons to evaluate.

    The first horizon is the one served; of the others, those `too_long` are left out.
    """
    left_out = {horizon for horizon, _ in too_long(collected, horizons)}
    evaluated = [horizon for horizon in dict.fromkeys(horizons) if horizon not in left_out]
    return [(name, horizon) for horizon in evaluated for name in names]


def too_long(collected: Collected, horizons: Sequence[int]) -> list[tuple[int, str]]:
    """Return the horizons after the first that the days are too few for, and why."""
    days = (collected.last_day - collected.first_day).days + 1
    return [
        (horizon, f"that needs {days_needed(horizon)} days of prices, and there are {days}")
        for horizon in dict.fromkeys(horizons)
        if horizon != horizons[0] and days < days_needed(horizon)
    ]


def evaluate_candidate(data_version: str, name: str, horizon: int) -> Evaluation:
    """Return the walk-forward evaluation of one model."""
    (found,) = evaluate(open_panel(data_version), [name], horizon)
    return found


def select_model(
    evaluations: Sequence[Evaluation], registry: Registry | None = None
) -> GateOutcome:
    """Select the simplest model that no other beats and that is not inferior to the champion.

    Apply the gate's checks to it.
    """
    champion = (registry or Registry()).find()
    model = champion.tags["model"] if champion else None
    choice = model_selection.select_model(evaluations, model)
    chosen = next(each for each in evaluations if each.model == choice.model)
    rival = next((each for each in evaluations if each.model == model), None)
    return GateOutcome(
        choice.model,
        choice.reasons,
        tuple(gate(chosen, rival)),
        (champion.version, model) if champion and model else None,
        chosen.skill,
    )


def require_passed(outcome: GateOutcome) -> None:
    """Send a notification and raise GateError, with the failed checks, unless all passed."""
    if outcome.passed:
        return
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
