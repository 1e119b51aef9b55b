"""The steps of `flows/monitor.py`: measuring the champion, and retraining if it is needed."""

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pokewatch.checks import failures
from pokewatch.errors import LakeError, RetrainError
from pokewatch.market.lake import Lake
from pokewatch.market.latest_version import LatestVersions
from pokewatch.market.sources import open_source
from pokewatch.monitoring.history import MeasurementHistory
from pokewatch.monitoring.report import Measurement, age_hours, learns_from, measure, retraining_due
from pokewatch.notify import send_once
from pokewatch.registry import Registry, changed_of
from pokewatch.serving.measured import REMEMBERED
from pokewatch.settings import Home, MonitorSettings
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.processed import process, read_processed

logger = logging.getLogger("pokewatch.monitoring")

EVENT = "retrain"


@dataclass(frozen=True, slots=True)
class Market:
    """The prices to measure: the source, the parameters of its market, and the days."""

    source: str
    days: int
    cards: int = 1000
    seed: int = 0
    path: Path | None = None
    last_day: date | None = None

    def parameters(self) -> dict[str, str]:
        """Return the parameters of `flow.py` for the same market."""
        given = {
            "source": self.source,
            "days": str(self.days),
            "cards": str(self.cards),
            "seed": str(self.seed),
        }
        given |= {"file": str(self.path)} if self.path else {}
        return given | ({"to": self.last_day.isoformat()} if self.last_day else {})


@dataclass(frozen=True, slots=True)
class Action:
    """Whether to retrain the models, and why."""

    retrain: bool
    why: str
    changed: date | None = None


def measure_champion(market: Market) -> Measurement:
    """Measure the champion on the newest prices that the pipeline collected.

    The result is stored in the history, in the latest figures and in MLflow. Raise
    NoChampionError if there is no model yet, LakeError if there are no prices.
    """
    registry, settings = Registry(), MonitorSettings.read()
    champion = registry.resolve()
    book = registry.open_book(champion)
    panel = newest_prices(market, _day(registry.recall(changed_of(market.source))))
    found = measure(panel, champion, book, registry, settings)
    history = MeasurementHistory()
    history.append(found.measured_on, found.to_dict())
    # for servers that share no disk with the flows
    registry.remember(REMEMBERED, history.write_latest(found.measured_on, found.figures()))
    figures = {f"monitor_{name}": value for name, value in found.figures().items()}
    registry.log_figures(champion, figures, found.measured_on.toordinal())
    return found


def decide(market: Market, found: Measurement) -> Action:
    """Decide whether to retrain; record a change of the market, and notify of failed checks."""
    registry, settings = Registry(), MonitorSettings.read()
    _notify(found, settings)
    known, last_training = (
        _day(registry.recall(name))
        for name in (changed_of(market.source), _retrained(market.source))
    )
    detected = found.changed_since(settings.monitor_drift)
    changed = (
        detected
        if detected and (known is None or found.measured_on >= _settled(known, found.horizon))
        else known
    )
    usable_from = learns_from(changed, found.horizon) if changed else None
    due = retraining_due(
        found.measured_on,
        last_training,
        settings.retrain_cooldown_days,
        detected is not None,
        usable_from,
    )
    if changed and changed != known:
        registry.remember(changed_of(market.source), changed.isoformat())
    return Action(
        due and settings.retrain,
        _why(found, due, detected is not None, last_training, usable_from, settings),
        changed,
    )


def retrain(
    market: Market, measured_on: date, flow: Sequence[str], event: Callable[[], str]
) -> None:
    """Run the daily pipeline, by a Metaflow event on Argo, else as a child process.

    `flow` is its file and the options of its branch. On Argo without events, the next daily run
    retrains, as the change of the market is recorded. Raise RetrainError.

    The cool-down begins when this returns: after a failure, the next monitoring run tries again.
    """
    _trigger(market, flow, event)
    Registry().remember(_retrained(market.source), measured_on.isoformat())


def _trigger(market: Market, flow: Sequence[str], event: Callable[[], str]) -> None:
    if not os.environ.get("ARGO_WORKFLOW_TEMPLATE"):
        _run(market, flow)
        return
    from metaflow.integrations import ArgoEvent
    from metaflow.metaflow_config import ARGO_EVENTS_WEBHOOK_URL

    if ARGO_EVENTS_WEBHOOK_URL is None:
        logger.warning("Argo Events is not configured: the next daily run retrains the models")
        return
    ArgoEvent(event(), payload=market.parameters()).publish(ignore_errors=False)


def _run(market: Market, flow: Sequence[str]) -> None:
    options = [part for name, value in market.parameters().items() for part in (f"--{name}", value)]
    command = [sys.executable, *flow, "run", *options]
    # The environment of a step names its run, flow and configuration, which are not the new run's.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("METAFLOW_RUN", "METAFLOW_FLOW", "MF_"))
    }
    code = subprocess.run(command, env=environment, check=False).returncode
    if code != 0:
        raise RetrainError(
            f"retraining failed: {Path(flow[0]).name} exited with code {code}; see its output"
        )


def newest_prices(market: Market, changed: date | None = None) -> Panel:
    """Return the panel of the newest days in the market's lake. Raise LakeError without prices."""
    opened = open_source(market.source, cards=market.cards, seed=market.seed, path=market.path)
    home = Home.read()
    lake = Lake(home.lakes / opened.lake_name)
    LatestVersions().restore(lake)
    days = [day for day in lake.days() if market.last_day is None or day <= market.last_day]
    if not days:
        raise LakeError(f"no prices of {market.source} yet: run the pipeline first")
    first = max(days[0], days[-1] - timedelta(days=market.days - 1))
    with tempfile.TemporaryDirectory(prefix=".measure-", dir=home.home) as scratch:
        process(lake, first, days[-1], 0, 1, Path(scratch), changed)
        return read_processed(Path(scratch))


def _settled(changed: date, horizon: int) -> date:
    """Return the day from which a failed check is a new change, not the effect of this one."""
    return learns_from(changed, horizon) + timedelta(days=2 * horizon)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _retrained(source: str) -> str:
    return f"retrained_on.{source}"


def _notify(found: Measurement, settings: MonitorSettings) -> None:
    age = age_hours(found.measured_on, datetime.now(UTC))
    if age > settings.monitor_stale_hours:
        body = (
            f"The newest prices are of {found.measured_on}, {age:.0f} hours old; "
            f"wanted <= {settings.monitor_stale_hours:g}."
        )
        send_once("stale data", str(found.measured_on), "prices are stale", body)
    if found.failed:
        names = ", ".join(check.name for check in found.failed)
        body = (
            f"Model version {found.version}, prices of {found.measured_on}: "
            f"{failures(found.checks)}."
        )
        send_once("drift", names, f"{names} out of bounds", body)


def _why(
    found: Measurement,
    due: bool,
    retraining_helps: bool,
    last_training: date | None,
    usable_from: date | None,
    settings: MonitorSettings,
) -> str:
    names = ", ".join(check.name for check in found.failed)
    if due and not settings.retrain:
        return "retraining is due, but disabled by POKEWATCH_RETRAIN"
    if due and usable_from and usable_from <= found.measured_on:
        return f"the market has changed, and there are training days since {usable_from}"
    if due:
        later = f"; there are training days from {usable_from} on" if usable_from else ""
        return f"failed: {names}{later}"
    if retraining_helps:
        cooldown = timedelta(days=settings.retrain_cooldown_days)
        until = last_training and last_training + cooldown
        return f"failed: {names}; retrained on {last_training}, so not before {until}"
    if found.failed:
        return f"failed: {names}; the incoming prices are at fault, and retraining would not help"
    return "every check passed"
