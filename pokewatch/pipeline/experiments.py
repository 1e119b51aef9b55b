"""Experiments in the flows: the challenger's model is trained, registered, compared and promoted.

While an experiment runs, the daily pipeline keeps the champion's model and registers a version of
the challenger's model beside it, which no server loads. The monitor compares the two on the prices
that follow, and on its verdict the challenger's newest version is deployed like any other. From
then on the pipeline keeps its model, until a rollback makes another one champion. On request the
challenger answers a share of the callers meanwhile.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from pokewatch import notify
from pokewatch.checks import failures
from pokewatch.deploy.publication import current_plan
from pokewatch.deploy.rollout import deploy
from pokewatch.deploy.transaction import DeployTransaction, deploy_transaction
from pokewatch.errors import DeployError, ExperimentError, LockLostError, PokeWatchError
from pokewatch.experiments.records import Experiment, ExperimentRecords
from pokewatch.experiments.sequential import Rule
from pokewatch.experiments.update import COMPARED_WITH, GATE_FAILED, challengers_of
from pokewatch.pipeline.collect import Collected
from pokewatch.pipeline.registration import register_version
from pokewatch.registry import LAST_DAY, RegisteredModel, Registry
from pokewatch.registry_records import EXPERIMENT
from pokewatch.settings import ExperimentSettings, MonitorSettings, ServingSettings
from pokewatch.valuation.evaluation.gate import gate
from pokewatch.valuation.evaluation.runner import Evaluation
from pokewatch.valuation.evaluation.unevaluated import Unevaluated

logger = logging.getLogger("pokewatch.experiments")


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


def serve_challenger(registry: Registry, share: float, days: float) -> tuple[Experiment, str]:
    """Have the challenger of the experiment that runs answer a share of the callers, for `days`.

    Return the experiment and what was done. May be repeated. Raise ExperimentError or DeployError.
    """
    records = ExperimentRecords(registry)
    with _callers_change(registry, records.require_running()) as transaction:
        experiment = records.give_traffic(records.require_running(), share, days)
        try:
            done = transaction.reconcile_experiment()
        except LockLostError:
            raise  # the deploy that took over gives it its callers
        except DeployError as error:
            records.end_traffic(experiment, f"it could not be served: {error}")
            raise
    if not done:
        done = "its challenger has the callers already"
        if current_plan(registry) is None:
            done = "the next pipeline run gives its challenger the callers"
    return experiment, done


def stop_experiment(registry: Registry, reason: str, *, traffic_only: bool = False) -> Experiment:
    """Stop the experiment that runs, or only the traffic of its challenger. Return it.

    If this is killed, the next deploy or monitoring run does the rest. Raise ExperimentError.
    """
    records = ExperimentRecords(registry)
    experiment = records.require_running()
    if traffic_only and not experiment.has_traffic:
        raise ExperimentError(f"the challenger of experiment {experiment.number} has no callers")
    if not _has_callers(registry, experiment) and experiment.verdict != "promote":
        return records.stop(reason)
    # A challenger that has won may be being deployed: then it is too late to stop.
    with _callers_change(registry, experiment) as transaction:
        experiment = records.end_traffic(records.require_running(), reason)
        if not traffic_only:
            experiment = records.stop(reason)
        transaction.reconcile_experiment()
    return experiment


def settle_traffic(registry: Registry) -> str:
    """Make the callers of a challenger what its experiment's record says. Return what was done.

    What prevents it is reported, and the next call tries again.
    """
    experiment = ExperimentRecords(registry).running()
    if not _has_callers(registry, experiment):
        return ""
    try:
        with _callers_change(registry, experiment) as transaction:
            return transaction.reconcile_experiment()
    except DeployError as error:
        logger.error("the callers of the challenger were not changed: %s", error)
        title = "the callers of an experiment's challenger wait"
        notify.send_once("experiment", f"callers {error}", title, f"{error}.")
        return str(error)


def _has_callers(registry: Registry, experiment: Experiment | None) -> bool:
    """Return whether a challenger has callers, or is to have some."""
    plan = current_plan(registry)
    of_experiment = plan is not None and bool(plan.experiment)
    return of_experiment or (experiment is not None and experiment.has_traffic)


def _callers_change(
    registry: Registry, experiment: Experiment | None
) -> AbstractContextManager[DeployTransaction]:
    """Return a transaction, which waits for a deploy that runs."""
    target = f"experiment {experiment.number}" if experiment else "the last experiment"
    addresses = ServingSettings.read().addresses(registry.branch)
    return deploy_transaction(registry, "experiment", target, addresses)


def with_challenger(names: Sequence[str], market: str) -> list[str]:
    """Return `names` and the challenger's model of the experiment of a market that runs."""
    registry = Registry()
    experiment = ExperimentRecords(registry).running() if registry.find() else None
    if experiment is None or experiment.plan.market != market:
        return list(names)
    return list(dict.fromkeys([*names, experiment.plan.challenger]))


def held_by(registry: Registry, champion: RegisteredModel) -> str:
    """Return why an experiment keeps the champion's model, "" where none does."""
    newest = next(iter(ExperimentRecords(registry).newest()), None)
    if newest is None or newest.plan.market != champion.tags.get("market"):
        return ""
    model, plan = champion.tags.get("model", ""), newest.plan
    if newest.state == "running" and model == plan.champion:
        return f"{model} stays while experiment {newest.number} compares it with {plan.challenger}"
    if newest.state == "promoted" and model == plan.challenger:
        return f"{model} stays, which experiment {newest.number} found better than {plan.champion}"
    return ""


def find_challenger(
    candidates: Sequence[Evaluation | Unevaluated], chosen: str, market: str
) -> Challenger | None:
    """Return the challenger among the candidates, None where the chosen model is not compared."""
    registry = Registry()
    experiment = ExperimentRecords(registry).running() if registry.find() else None
    if experiment is None or experiment.plan.market != market or experiment.plan.champion != chosen:
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
