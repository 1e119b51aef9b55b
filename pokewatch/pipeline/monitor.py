"""The steps of the daily monitoring run, called by `flows/monitor.py`."""

import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pokewatch.atomic_file import atomic_file
from pokewatch.checks import failures
from pokewatch.contract import data_age_hours
from pokewatch.errors import PokeWatchError, RetrainError
from pokewatch.experiments.event_rates import event_rates
from pokewatch.experiments.update import ExperimentUpdate, newest_standings
from pokewatch.monitoring.measurement import (
    Measurement,
    first_training_day,
    measure,
    require_market,
    retraining_due,
)
from pokewatch.monitoring.record_update import RecordUpdate
from pokewatch.notify import send_once
from pokewatch.pipeline.experiments import promote, settle_traffic
from pokewatch.pipeline.market_runs import child_run
from pokewatch.pipeline.monitored_market import Market, newest_prices
from pokewatch.registry import LAST_DAY, RegisteredModel, Registry, change_key
from pokewatch.serving.monitoring_figures import MONITORING_KEY, figures_file
from pokewatch.settings import Home, MonitorSettings
from pokewatch.wording import age_in_words

logger = logging.getLogger("pokewatch.monitoring")

SHOWN_EXPERIMENTS = 5  # in the track record


@dataclass(frozen=True, slots=True)
class Action:
    """Whether the models are retrained, and the reason."""

    retrain: bool
    why: str
    changed: date | None = None


def measure_market(market: Market) -> Measurement:
    """Measure the newest prices that the pipeline has collected, and store the result.

    Where they end before those of the champion's book, because an earlier day was asked for, the
    result is logged alone: the servers, experiments and the track record are as of a later day.

    Raise NoChampionError where there is no model yet, LakeError where there are no prices, and
    SettingsError where the champion is of another market.
    """
    registry, settings = Registry(), MonitorSettings.read()
    champion = registry.resolve()
    book, market_id = registry.open_book(champion), market.id
    require_market(market_id, champion, book)
    panel = newest_prices(market, _day(registry.get_state(change_key(market_id))))
    found = measure(panel, champion, book, registry, settings)
    _log(registry, champion, found)
    if found.measured_on < book.last_day:
        return found
    _publish(registry, found)
    with _reported("experiment", found.measured_on):
        ExperimentUpdate(panel, registry, champion).run()
    with _reported("track record", found.measured_on):
        experiments = [each.to_dict() for each in newest_standings(registry, SHOWN_EXPERIMENTS)]
        RecordUpdate(panel, registry, champion, book).run(found.checks, experiments)
    return found


@contextmanager
def _reported(name: str, measured_on: date) -> Iterator[None]:
    """Log and notify of a failed update instead of raising it: what follows must still run."""
    try:
        yield
    except (OSError, PokeWatchError) as error:
        logger.error("the %s was not updated: %s", name, error)
        body = f"The {name} stays as it was before the prices of {measured_on}: {error}"
        send_once(name, str(measured_on), f"the {name} was not updated", body)


def settle_experiment() -> tuple[str, Mapping[str, Any] | None]:
    """Promote a challenger that has won, and have those in experiments get their callers.

    Return what was done, and the newest experiment.
    """
    registry = Registry()
    done = "; ".join(filter(None, [promote(registry), settle_traffic(registry)]))
    standings = newest_standings(registry, 1)
    return done, standings[0].to_dict() if standings else None


def logged_events(market: str, measured_on: date) -> list[Mapping[str, Any]]:
    """Return the rates of a market in this machine's event log, none of one that is unreadable."""
    with _reported("account of the event log", measured_on):
        found = event_rates(Home.read().events)
        return [each.to_dict() for each in found if each.market == market]
    return []


def decide(market: Market, found: Measurement) -> Action:
    """Decide whether to retrain. Store the day the market changed; notify of failed checks."""
    registry, settings = Registry(), MonitorSettings.read()
    last_day = registry.version(found.version).tags.get(LAST_DAY, "")
    if found.measured_on.isoformat() < last_day:  # a model of that day would be refused
        return Action(False, f"the champion has prices up to {last_day}: later ones decide")
    _notify(found, settings)
    market_id = market.id
    changed_key, retrained_key = change_key(market_id), _retrained_key(market_id)
    known, last = (_day(registry.get_state(key)) for key in (changed_key, retrained_key))
    detected = found.changed_since(settings.monitor_drift)
    outdated = detected is not None
    changed = (
        detected
        if detected and (known is None or found.measured_on >= _settled(known, found.horizon))
        else known
    )
    trainable_on = first_training_day(changed, found.horizon) if changed else None
    due = retraining_due(
        found.measured_on, last, settings.retrain_cooldown_days, outdated, trainable_on
    )
    if changed and changed != known:
        registry.set_state(changed_key, changed.isoformat())
    return Action(
        due and settings.retrain,
        _why(found, due, outdated, last, trainable_on, settings),
        changed,
    )


def retrain(market: Market, measured_on: date, flow: Sequence[str]) -> None:
    """Run the daily pipeline: in a child process, or on Argo as a workflow of its own.

    `flow` is the path of the flow, followed by the options that select its branch. On Argo the
    workflow is created by the Kubernetes API, and waits there while another run goes on. Raise
    RetrainError.

    The cool-down starts only after success: after a failure the next monitoring run tries again.
    """
    _run_pipeline(market, flow)
    Registry().set_state(_retrained_key(market.id), measured_on.isoformat())


def _run_pipeline(market: Market, flow: Sequence[str]) -> None:
    options = [part for name, value in market.parameters().items() for part in (f"--{name}", value)]
    verb = ["argo-workflows", "trigger"] if os.environ.get("ARGO_WORKFLOW_TEMPLATE") else ["run"]
    command = [sys.executable, *flow, *verb, *options]
    with child_run(command) as child:
        pass
    if child.returncode != 0:
        raise RetrainError(
            f"retraining failed: {Path(flow[0]).name} ended with {child.returncode}; "
            "its output has the cause"
        )


def _settled(changed: date, horizon: int) -> date:
    """Return the day until which failed checks may still be due to that change.

    The first models trained on it have just been made, and their forecasts come due.
    """
    return first_training_day(changed, horizon) + timedelta(days=2 * horizon)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _retrained_key(market: str) -> str:
    return f"retrained_on.{market}"


def _notify(found: Measurement, settings: MonitorSettings) -> None:
    age = data_age_hours(found.measured_on, datetime.now(UTC))
    if age > settings.monitor_stale_hours:
        body = (
            f"The newest prices are of {found.measured_on}, which ended {age_in_words(age)} ago; "
            f"expected at most {settings.monitor_stale_hours:g} hours."
        )
        send_once("stale data", str(found.measured_on), "prices are stale", body)
    if found.failed:
        names = ", ".join(check.name for check in found.failed)
        checks = failures(found.checks)
        body = f"Model version {found.version}, prices of {found.measured_on}: {checks}."
        send_once("drift", names, f"{names} out of bounds", body)


def _why(
    found: Measurement,
    due: bool,
    outdated: bool,
    last: date | None,
    trainable_on: date | None,
    settings: MonitorSettings,
) -> str:
    names = ", ".join(check.name for check in found.failed)
    if due and not settings.retrain:
        return "retraining is due, and switched off by POKEWATCH_RETRAIN"
    if due and trainable_on and trainable_on <= found.measured_on:
        return f"the market has changed, and models can be trained on it since {trainable_on}"
    if due:
        later = f"; models can be trained on it from {trainable_on} on" if trainable_on else ""
        return f"failed: {names}{later}"
    if outdated:
        again = last and last + timedelta(days=settings.retrain_cooldown_days)
        return f"failed: {names}; retrained on {last}, so not before {again}"
    if found.failed:
        return f"failed: {names}; the incoming prices are at fault, and retraining would not help"
    if not any(check.judged for check in found.checks):
        return "nothing can be judged yet"
    return "every check that could be judged passed"


def _log(registry: Registry, champion: RegisteredModel, found: Measurement) -> None:
    """Add the measurement to the champion's run."""
    record = {"measured_on": found.measured_on.isoformat(), **found.to_dict()}
    text = json.dumps(record, sort_keys=True, allow_nan=False)
    # The digest keeps an earlier measurement of the same day, and makes a repeated one idempotent.
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    registry.log_document(champion, f"monitoring/{found.measured_on}-{digest}.json", record)
    metrics = {f"monitor_{name}": value for name, value in found.figures().items()}
    registry.log_metrics(champion, metrics, found.measured_on.toordinal())


def _publish(registry: Registry, found: Measurement) -> None:
    """Publish the figures: in a file to MLServers on this machine, in the state to others."""
    content = {"measured_on": found.measured_on.isoformat(), "figures": found.figures()}
    document = json.dumps(content, allow_nan=False)
    path = figures_file(registry.market)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        file.write(document.encode())
    registry.set_state(MONITORING_KEY, document)
