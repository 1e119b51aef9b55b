"""Experiments in the flows: the challenger's model is trained, registered, compared and promoted.

While an experiment runs, the daily pipeline keeps the champion's model and registers a version of
the challenger's model beside it, which no server loads. The monitor compares the two on the prices
that follow, and on its verdict the challenger's newest version is deployed like any other. From
then on the pipeline keeps its model, until a rollback makes another one champion.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pokewatch import notify
from pokewatch.checks import failures
from pokewatch.deploy.rollout import deploy
from pokewatch.errors import DeployError, PokeWatchError
from pokewatch.experiments.records import Experiment, ExperimentRecords
from pokewatch.experiments.sequential import Rule
from pokewatch.experiments.update import COMPARED_WITH, challengers_of
from pokewatch.pipeline.collection import Collected
from pokewatch.pipeline.registration import register_version
from pokewatch.registry import LAST_DAY, RegisteredModel, Registry
from pokewatch.registry_records import EXPERIMENT
from pokewatch.settings import ExperimentSettings, MonitorSettings
from pokewatch.valuation.evaluation.gate import gate
from pokewatch.valuation.evaluation.runner import Evaluation
from pokewatch.valuation.evaluation.young import Unevaluated

logger = logging.getLogger("pokewatch.experiments")

GATE_FAILED = "gate_failed"  # tag of a challenger's version: the checks it did not pass


@dataclass(frozen=True, slots=True)
class Challenger:
    """The model that takes part in an experiment, and the checks of the gate it did not pass."""

    experiment: int
    model: str
    failed: str


def start_experiment(registry: Registry, challenger: str) -> Experiment:
    """Start an experiment by the settings, at the champion's horizon. Raise ExperimentError."""
    settings, limits = ExperimentSettings.read(), MonitorSettings.read()
    rule = Rule(
        horizon=registry.open_book(registry.resolve()).facts.horizon,
        sigma=settings.experiment_spread,
        threshold=settings.experiment_evidence,
        shortest=settings.experiment_shortest_days,
        longest=settings.experiment_longest_days,
        coverage=(limits.monitor_coverage_low, limits.monitor_coverage_high),
    )
    return ExperimentRecords(registry).start(challenger, rule)


def with_challenger(names: Sequence[str], source: str) -> list[str]:
    """Return `names` and the challenger's model of the experiment of a market that runs."""
    registry = Registry()
    experiment = ExperimentRecords(registry).running() if registry.find() else None
    if experiment is None or experiment.plan.source != source:
        return list(names)
    return list(dict.fromkeys([*names, experiment.plan.challenger]))


def held_by(registry: Registry, champion: RegisteredModel) -> str:
    """Return why an experiment keeps the champion's model, "" where none does."""
    newest = next(iter(ExperimentRecords(registry).newest()), None)
    if newest is None or newest.plan.source != champion.tags.get("source", ""):
        return ""
    model, plan = champion.tags.get("model", ""), newest.plan
    if newest.state == "running" and model == plan.champion:
        return f"{model} stays while experiment {newest.number} compares it with {plan.challenger}"
    if newest.state == "promoted" and model == plan.challenger:
        return f"{model} stays, which experiment {newest.number} found better than {plan.champion}"
    return ""


def find_challenger(
    candidates: Sequence[Evaluation | Unevaluated], chosen: str, source: str
) -> Challenger | None:
    """Return the challenger among the candidates, None where the chosen model is not compared."""
    registry = Registry()
    experiment = ExperimentRecords(registry).running() if registry.find() else None
    if experiment is None or experiment.plan.source != source or experiment.plan.champion != chosen:
        return None
    found = {each.model: each for each in candidates if isinstance(each, Evaluation)}
    challenger, champion = found.get(experiment.plan.challenger), found.get(chosen)
    if challenger is None:
        return None
    return Challenger(experiment.number, challenger.model, failures(gate(challenger, champion)))


def register_beside(challenger: Challenger, champion: RegisteredModel, *given: Any) -> str:
    """Register the challenger by `register_challenger`; return what was done.

    A failure is logged and notified: the champion is deployed all the same.
    """
    try:
        model = register_challenger(challenger, champion, *given)
    except (OSError, PokeWatchError) as error:
        text = f"{challenger.model} was not registered beside version {champion.version}: {error}"
        logger.error("experiment %s: %s", challenger.experiment, text)
        title = f"experiment {challenger.experiment}: a day is missing"
        notify.send_once("experiment", f"{challenger.experiment} {champion.version}", title, text)
        return text
    return (
        f"experiment {challenger.experiment}: {challenger.model} is version {model.version}, "
        f"compared with version {champion.version}"
    )


def register_challenger(
    challenger: Challenger,
    champion: RegisteredModel,
    collected: Collected,
    data_version: str,
    parameters: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    tags: Mapping[str, str],
) -> RegisteredModel:
    """Register the challenger's price book, to be compared with that of `champion`."""
    tags = {
        **tags,
        EXPERIMENT: str(challenger.experiment),
        COMPARED_WITH: champion.version,
        GATE_FAILED: challenger.failed,
    }
    return register_version(collected, data_version, parameters, evaluation, tags)


def promote(registry: Registry) -> str:
    """Deploy the challenger that has won, if one has. Return what was done, "" for nothing.

    What prevents it is reported, and the next call tries again.
    """
    records = ExperimentRecords(registry)
    experiment = records.running()
    if experiment is None or experiment.verdict != "promote":
        return ""
    plan, champion = experiment.plan, registry.resolve()
    if champion.tags.get("model", "") != plan.challenger:
        try:
            deploy(registry, _deployable(challengers_of(registry, experiment), champion))
        except DeployError as error:
            return _waits(experiment, str(error))
        champion = registry.resolve()
    outcome = f"{plan.challenger} is champion since version {champion.version}"
    records.end(experiment.number, "promoted", outcome)
    title = f"experiment {experiment.number}: {plan.challenger} replaces {plan.champion}"
    notify.send_once("experiment", f"{experiment.number} promoted", title, f"{outcome}.")
    return outcome


def _deployable(versions: Sequence[RegisteredModel], champion: RegisteredModel) -> str:
    """Return the challenger's newest version. Raise DeployError if it cannot be deployed now."""
    if not versions:
        raise DeployError("the challenger has no version")
    tags = versions[0].tags
    if tags[LAST_DAY] < champion.tags.get(LAST_DAY, ""):
        raise DeployError(f"its newest version, of {tags[LAST_DAY]}, is older than the champion's")
    if failed := tags.get(GATE_FAILED):
        raise DeployError(f"its newest version did not pass the gate: {failed}")
    return versions[0].version


def _waits(experiment: Experiment, reason: str) -> str:
    text = f"{experiment.plan.challenger} won and is not deployed yet: {reason}"
    logger.error("experiment %s: %s", experiment.number, text)
    title = f"experiment {experiment.number}: the promotion waits"
    notify.send_once("experiment", f"{experiment.number} waits {reason}", title, f"{text}.")
    return text
