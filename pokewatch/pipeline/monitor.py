"""The daily look at the models, step by step: what the steps of `flows/monitor.py` call."""

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
from pokewatch.serving.monitoring_figures import MONITORING_KEY
from pokewatch.settings import Home, MonitorSettings
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.processed import process, read_processed

logger = logging.getLogger("pokewatch.monitoring")

EVENT = "retrain"


@dataclass(frozen=True, slots=True)
class Market:
    """Which prices are looked at: the source, what makes its market, and the days up to the last."""

    source: str
    days: int
    cards: int = 1000
    seed: int = 0
    path: Path | None = None
    last_day: date | None = None

    def parameters(self) -> dict[str, str]:
        """The parameters with which `flow.py` looks at the same market."""
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
    """Whether the models are trained again, and why or why not, in words."""

    retrain: bool
    why: str
    changed: date | None = None


def look(market: Market) -> Measurement:
    """Measure the newest prices that the pipeline has collected, and keep what was found: history, latest figures, MLflow.

    Raises NoChampionError where there is no model yet, LakeError where there are no prices.
    """
    registry, settings = Registry(), MonitorSettings.read()
    champion = registry.resolve()
    book = registry.open_book(champion)
    panel = newest_prices(market, _day(registry.recall(changed_of(market.source))))
    found = measure(panel, champion, book, registry, settings)
    history = MeasurementHistory()
    history.append(found.measured_on, found.to_dict())
    # for servers that share no disk with the flows
    registry.remember(MONITORING_KEY, history.write_latest(found.measured_on, found.figures()))
    figures = {f"monitor_{name}": value for name, value in found.figures().items()}
    registry.log_figures(champion, figures, found.measured_on.toordinal())
    return found


def decide(market: Market, found: Measurement) -> Action:
    """Whether to train again; remembers since when the market is another one. Notifies people of what is wrong."""
    registry, settings = Registry(), MonitorSettings.read()
    _tell(found, settings)
    known, last = (
        _day(registry.recall(name))
        for name in (changed_of(market.source), _retrained(market.source))
    )
    noticed = found.changed_since(settings.monitor_drift)
    changed = (
        noticed
        if noticed and (known is None or found.measured_on >= _settled(known, found.horizon))
        else known
    )
    lessons_on = learns_from(changed, found.horizon) if changed else None
    due = retraining_due(
        found.measured_on, last, settings.retrain_cooldown_days, noticed is not None, lessons_on
    )
    if changed and changed != known:
        registry.remember(changed_of(market.source), changed.isoformat())
    return Action(
        due and settings.retrain,
        _why(found, due, noticed is not None, last, lessons_on, settings),
        changed,
    )


def retrain(
    market: Market, measured_on: date, flow: Sequence[str], event: Callable[[], str]
) -> None:
    """Have the daily pipeline run: by a Metaflow event where this runs on Argo, else at once, as a process that this one waits for.

    `flow` is its file, and the options that name its branch. On Argo without events the next daily run does it, since what has
    changed is remembered. Raises RetrainError.

    Only then the cool-down begins: where this fails or is killed, the next monitoring run tries again.
    """
    _have_run(market, flow, event)
    Registry().remember(_retrained(market.source), measured_on.isoformat())


def _have_run(market: Market, flow: Sequence[str], event: Callable[[], str]) -> None:
    if not os.environ.get("ARGO_WORKFLOW_TEMPLATE"):
        _run(market, flow)
        return
    from metaflow.integrations import ArgoEvent
    from metaflow.metaflow_config import ARGO_EVENTS_WEBHOOK_URL

    if ARGO_EVENTS_WEBHOOK_URL is None:
        logger.warning("there are no Argo Events here: the next daily run trains the models again")
        return
    ArgoEvent(event(), payload=market.parameters()).publish(ignore_errors=False)


def _run(market: Market, flow: Sequence[str]) -> None:
    options = [part for name, value in market.parameters().items() for part in (f"--{name}", value)]
    command = [sys.executable, *flow, "run", *options]
    # Metaflow tells the process of a step which run, flow and configuration it belongs to; the new run is none of these.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("METAFLOW_RUN", "METAFLOW_FLOW", "MF_"))
    }
    code = subprocess.run(command, env=environment, check=False).returncode
    if code != 0:
        raise RetrainError(
            f"the models could not be trained again: {Path(flow[0]).name} ended with {code}; what it printed says why"
        )


def newest_prices(market: Market, changed: date | None = None) -> Panel:
    """The panel of the newest days in the lake of the market, restored where this machine has none. Raises LakeError without prices."""
    opened = open_source(market.source, cards=market.cards, seed=market.seed, path=market.path)
    home = Home.read()
    lake = Lake(home.lakes / opened.lake_name)
    LatestVersions().restore(lake)
    days = [day for day in lake.days() if market.last_day is None or day <= market.last_day]
    if not days:
        raise LakeError(f"no prices of {market.source} to look at yet: run the pipeline first")
    first = max(days[0], days[-1] - timedelta(days=market.days - 1))
    with tempfile.TemporaryDirectory(prefix=".look-", dir=home.home) as scratch:
        process(lake, first, days[-1], 0, 1, Path(scratch), changed)
        return read_processed(Path(scratch))


def _settled(changed: date, horizon: int) -> date:
    """Until then, what fails may still be that change: models have just learnt of it, and their forecasts come due."""
    return learns_from(changed, horizon) + timedelta(days=2 * horizon)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _retrained(source: str) -> str:
    return f"retrained_on.{source}"


def _tell(found: Measurement, settings: MonitorSettings) -> None:
    age = age_hours(found.measured_on, datetime.now(UTC))
    if age > settings.monitor_stale_hours:
        body = f"The newest prices are of {found.measured_on}, {age:.0f} hours old; wanted <= {settings.monitor_stale_hours:g}."
        send_once("stale data", str(found.measured_on), "prices are stale", body)
    if found.failed:
        names = ", ".join(check.name for check in found.failed)
        body = f"Model version {found.version}, prices of {found.measured_on}: {failures(found.checks)}."
        send_once("drift", names, f"{names} out of bounds", body)


def _why(
    found: Measurement,
    due: bool,
    mendable: bool,
    last: date | None,
    lessons_on: date | None,
    settings: MonitorSettings,
) -> str:
    names = ", ".join(check.name for check in found.failed)
    if due and not settings.retrain:
        return "training again is due, and switched off by POKEWATCH_RETRAIN"
    if due and lessons_on and lessons_on <= found.measured_on:
        return f"the market has changed, and there are lessons of it since {lessons_on}"
    if due:
        later = f"; models can learn of it from {lessons_on} on" if lessons_on else ""
        return f"failed: {names}{later}"
    if mendable:
        return f"failed: {names}; trained again on {last}, so not before {last and last + timedelta(days=settings.retrain_cooldown_days)}"
    if found.failed:
        return f"failed: {names}; the prices coming in are at fault, and training on them would mend nothing"
    return "every check passed"
