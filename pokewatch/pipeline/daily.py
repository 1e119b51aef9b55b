"""The batch half, step by step: what the steps of `flows/flow.py` call.

Steps may run in different processes, pods and days: they hand each other content hashes and plain JSON, never a path.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pokewatch.checks import Check, failures
from pokewatch.decision import FEES
from pokewatch.errors import GateError, SettingsError
from pokewatch.market.collect import asked_days, collect
from pokewatch.market.lake import Lake
from pokewatch.market.latest_version import LatestVersions
from pokewatch.market.quality.days import QualityThresholds, check_days
from pokewatch.market.sources import open_source
from pokewatch.market.versions import DataVersions
from pokewatch.notify import send_once
from pokewatch.pipeline.registration import (
    DIGEST,
    REGISTRATION,
    register_once,
    registered,
    registration_of,
)
from pokewatch.registry import CHALLENGER, LAST_DAY, RegisteredModel, Registry, changed_of
from pokewatch.settings import Home, QualitySettings
from pokewatch.valuation.backtest.runner import backtest_valued
from pokewatch.valuation.book import BookFacts, write_book
from pokewatch.valuation.book.copies import place
from pokewatch.valuation.evaluation.gate import gate
from pokewatch.valuation.evaluation.model_selection import choose
from pokewatch.valuation.evaluation.runner import Evaluation, evaluate
from pokewatch.valuation.models import MODELS, create, restore
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.processed import process, read_processed
from pokewatch.valuation.valued_days import ValuedDays, book_rows, valued_days

KEPT_VERSIONS = 6  # checked out on this machine; the remote has them all
BOOK_DAYS = 400
BACKTEST = "backtest.json"
BACKTESTED_FROM = 5.0  # below, the fixed part of the fees alone eats what a trade could earn
BACKTESTED_CARDS = 2_000  # of a larger market that many speak for all, at a fraction of the memory
_MARKETPLACES = {"USD": "tcgplayer", "EUR": "cardmarket"}


@dataclass(frozen=True, slots=True)
class Collected:
    """What collection left: the version of the raw lake, and which of its days this run is about."""

    source: str
    raw_version: str
    first_day: date
    last_day: date
    report: Mapping[str, Any]
    held: tuple[Check, ...]  # failed checks of days that were therefore kept out of the lake


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """The model chosen and why, every check of the gate, and the version and model that are champion now, if any."""

    model: str
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    champion: tuple[str, str] | None

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


def with_champion(names: Sequence[str]) -> list[str]:
    """`names`, and the champion's model if it is not among them: the gate compares with it on the same days."""
    champion = Registry().find()
    model = champion.tags.get("model", "") if champion else ""
    return [*names, model] if model in MODELS and model not in names else list(names)


def collect_prices(
    source: str,
    *,
    start: date | None = None,
    end: date | None = None,
    days: int | None = None,
    cards: int = 1000,
    seed: int = 0,
    path: Path | None = None,
    needed: int = 1,
) -> Collected:
    """Bring the asked days into the lake of `source`, restored first where this machine has none of it, and keep it as a version.

    Raises SettingsError, with nothing collected, where they are fewer than the days `needed`.
    """
    opened = open_source(source, cards=cards, seed=seed, path=path)
    lake = Lake(Home.read().lakes / opened.lake_name)
    heads = LatestVersions()
    heads.restore(lake)
    asked = asked_days(opened, start, end, days)
    if len(asked) < needed:
        raise SettingsError(
            f"--days: {source} has {len(asked)} days from {asked[0]} to {asked[-1]}; at least {needed} are needed"
        )
    report = collect(opened, lake, asked)
    version = DataVersions(lake.root).keep(lake.raw)
    heads.publish(lake.root.name, version)
    held = tuple(check for checks in report.held.values() for check in checks if not check.passed)
    return Collected(source, version, asked[0], asked[-1], report.to_json(), held)


def validate(collected: Collected) -> list[Check]:
    """The quality checks of the run's days, and those that days held back have failed."""
    lake = _raw_lake(collected.raw_version)
    days = [day for day in lake.days() if collected.first_day <= day <= collected.last_day]
    found = Check(
        "days", "at least 1", str(len(days)), bool(days), "no day of the range has prices"
    )
    thresholds = QualityThresholds.of(QualitySettings.read(), collected.source)
    return [found, *collected.held, *check_days(lake, days, thresholds, datetime.now(UTC).date())]


def daily_figures(collected: Collected) -> dict[str, Any]:
    """What the run's days look like: `days`, and `series` of a figure a day, for pictures."""
    lake = _raw_lake(collected.raw_version)
    days: list[date] = []
    series: dict[str, list[float | None]] = {
        "cards with a price": [],
        "median price": [],
        "rows quarantined": [],
    }
    for table in lake.prices(collected.first_day, collected.last_day, ["date", "market_price"]):
        days.append(table["date"][0].as_py())
        series["cards with a price"].append(table.num_rows - table["market_price"].null_count)
        series["median price"].append(pc.approximate_median(table["market_price"]).as_py())
        series["rows quarantined"].append(lake.quarantined(days[-1]).num_rows)
    return {"days": days, "series": series}


def market_change(collected: Collected) -> date | None:
    """Since when the source's market is another one than before, as monitoring has found; None where it is not."""
    changed = Registry().recall(changed_of(collected.source))
    found = date.fromisoformat(changed) if changed else None
    return found if found and found <= collected.last_day else None


def process_shard(
    collected: Collected, shard: int, shards: int, changed: date | None = None
) -> str | None:
    """Process the cards of one shard of `shards`; the version of what came out, None where no card is in it."""
    with _kept() as (folder, keep):
        lake = _raw_lake(collected.raw_version)
        written = process(
            lake, collected.first_day, collected.last_day, shard, shards, folder, changed
        )
        return keep() if written else None


def join_shards(versions: Sequence[str | None]) -> str:
    """One version of all shards: the same however many there were."""
    store = DataVersions(Home.read().home)
    with _kept() as (folder, keep):
        for version in filter(None, versions):
            shutil.copytree(store.checkout(version), folder, dirs_exist_ok=True)
        return keep()


def train(data_version: str, names: Sequence[str], horizon: int) -> dict[str, dict[str, Any]]:
    """Fit each model on all there is; its parameters."""
    panel = _panel(data_version)
    return {name: create(name, horizon).fit(panel).parameters() for name in names}


def trials(
    collected: Collected, names: Sequence[str], horizons: Sequence[int]
) -> list[tuple[str, int]]:
    """What to evaluate: each model at the first horizon, which is served, and at those of the others that the days allow."""
    days = (collected.last_day - collected.first_day).days + 1
    judged = [
        horizons[0],
        *(
            other
            for other in dict.fromkeys(horizons[1:])
            if other != horizons[0] and days > 2 * other
        ),
    ]
    return [(name, horizon) for horizon in judged for name in names]


def evaluate_candidate(data_version: str, name: str, horizon: int) -> dict[str, Any]:
    """The walk-forward evaluation of one model, as plain JSON."""
    (found,) = evaluate(_panel(data_version), [name], horizon)
    return found.to_dict()


def judge(
    evaluations: Sequence[Mapping[str, Any]], registry: Registry | None = None
) -> GateOutcome:
    """Choose the simplest model that is not beaten, and put it through the gate."""
    found = [Evaluation.from_dict(each) for each in evaluations]
    choice = choose(found)
    chosen = next(each for each in found if each.model == choice.model)
    champion = (registry or Registry()).find()
    model = champion.tags["model"] if champion else None
    rival = next((each for each in found if each.model == model), None)
    return GateOutcome(
        choice.model,
        choice.reasons,
        tuple(gate(chosen, rival)),
        (champion.version, model) if champion and model else None,
    )


def require_passed(verdict: GateOutcome) -> None:
    """Raise GateError naming each failed check and its figures, once people have been told."""
    if not verdict.passed:
        why = f"{verdict.model} is not good enough to ship: {failures(verdict.checks)}"
        names = ", ".join(check.name for check in verdict.checks if not check.passed)
        serving = (
            f"Model version {verdict.champion[0]} keeps serving"
            if verdict.champion
            else "No model serves yet"
        )
        send_once(
            "gate refused",
            f"{verdict.model}: {names}",
            f"the gate refused {verdict.model}",
            f"{why}. {serving}.",
        )
        raise GateError(why)


def register(
    collected: Collected,
    data_version: str,
    parameters: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    tags: Mapping[str, str],
) -> RegisteredModel:
    """Write the price book of a fitted model, log it as a run, register it and make it challenger.

    The same run of a flow (tag `metaflow_run_id`) and the same data give one version, also where an
    attempt was killed at any point.
    """
    registry = Registry()
    run = tags.get("metaflow_run_id", "")
    fitted = (parameters["model"], parameters["horizon"])
    registration = registration_of(run, collected.raw_version, data_version, *fitted)
    model = registered(registry, registration)
    if model is None:
        named = {**tags, REGISTRATION: registration} if registration else tags
        model = _register(registry, collected, data_version, parameters, evaluation, named)
    registry.point(CHALLENGER, model.version)
    return model


def _register(
    registry: Registry,
    collected: Collected,
    data_version: str,
    parameters: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    tags: Mapping[str, str],
) -> RegisteredModel:
    panel = _panel(data_version)
    facts = BookFacts(
        data_version=data_version,
        created_at=datetime.now(UTC),
        model=parameters["model"],
        horizon=parameters["horizon"],
        currency=str(panel.currency[0]),
        source=collected.source,
        git_commit=git_commit(),
        run_id=tags.get("metaflow_run_id", ""),
        metrics={
            name: float(value)
            for name, value in evaluation.items()
            if isinstance(value, (int, float))
        },
    )
    valued = valued_days(restore(parameters), panel, BOOK_DAYS)
    book, digest = write_book_of(panel, valued, _raw_lake(collected.raw_version).catalog(), facts)
    earned = backtest_valued(
        panel,
        valued,
        facts.horizon,
        FEES[_MARKETPLACES[facts.currency]],
        BACKTESTED_FROM,
        BACKTESTED_CARDS,
    )
    run_id = registry.log_run(
        book,
        parameters={
            "model": facts.model,
            "horizon": facts.horizon,
            "source": facts.source,
            "cards": panel.cards,
            "days": panel.days,
        },
        metrics=dict(facts.metrics),
        tags={
            "data_version": data_version,
            "raw_version": collected.raw_version,
            "git_commit": facts.git_commit,
            "model": facts.model,
            "source": facts.source,
            LAST_DAY: panel.dates[-1].item().isoformat(),
            DIGEST: digest,
            **tags,
        },
        documents={
            "parameters.json": dict(parameters),
            "evaluation.json": dict(evaluation),
            BACKTEST: {
                "min_price": BACKTESTED_FROM,
                "most_cards": BACKTESTED_CARDS,
                "policies": [each.to_json() for each in earned],
            },
        },
    )
    return register_once(registry, run_id, digest)


def write_book_of(
    panel: Panel, valued: ValuedDays, catalog: pa.Table, facts: BookFacts
) -> tuple[Path, str]:
    """Write a price book among this machine's; its folder and digest."""
    books = Home.read().books
    books.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=books) as scratch:
        written = Path(scratch) / "book"
        digest = write_book(written, catalog, book_rows(panel, valued), facts)
        place(written, books / digest, digest)
    return books / digest, digest


def tidy() -> None:
    """Remove checked-out versions that this machine has not used lately."""
    DataVersions(Home.read().home).prune(KEPT_VERSIONS)


def git_commit() -> str:
    """The commit of this code: POKEWATCH_GIT_COMMIT in an image, git's answer in a checkout, "" elsewhere."""
    if given := os.environ.get("POKEWATCH_GIT_COMMIT"):
        return given
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() if asked.returncode == 0 else ""


def _raw_lake(version: str) -> Lake:
    folder = DataVersions(Home.read().home).checkout(version)
    return Lake(folder.parent, raw=folder)


def _panel(data_version: str) -> Panel:
    return read_processed(DataVersions(Home.read().home).checkout(data_version))


@contextmanager
def _kept() -> Iterator[tuple[Path, Callable[[], str]]]:
    """A folder to write into, and what keeps it as a version; it is gone afterwards."""
    home = Home.read().home
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".shard-", dir=home) as scratch:
        folder = Path(scratch) / "data"
        folder.mkdir()
        yield folder, lambda: DataVersions(Path(scratch)).keep(folder)
