"""Writing the price book of a fitted model and registering it once.

The same run and data give one version, however often registration is attempted: the version is
written last, after the run and its artifacts. An attempt that was killed leaves a complete
version, a complete run without a version, or a run that nothing refers to.
"""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from pokewatch.pipeline.collect import Collected
from pokewatch.pipeline.git_commit import git_commit
from pokewatch.pipeline.mlflow_model import model_documents
from pokewatch.pipeline.storage import open_panel, open_raw_lake
from pokewatch.registry import (
    CHALLENGER,
    DIGEST,
    LAST_DAY,
    MARKET,
    NOT_EVALUATED,
    RegisteredModel,
    Registry,
)
from pokewatch.settings import RegistrySettings
from pokewatch.valuation.backtest.runner import backtest_valued
from pokewatch.valuation.book import BookFacts, PriceBook, write_book
from pokewatch.valuation.book.copies import place, prune
from pokewatch.valuation.evaluation.unevaluated import headline
from pokewatch.valuation.forecasts import further_horizons
from pokewatch.valuation.models import restore
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.signals import configured_fees
from pokewatch.valuation.valued_days import ValuedDays, book_rows, valued_days

REGISTRATION = "registration"  # tag of a run and of its version
SKILL = "skill"  # tag of a run and of its version: what its evaluation shows
INTERVALS = ("rmae_last", "coverage_90")  # scores whose intervals are metrics too
BOOK_DAYS = 400
BACKTEST = "backtest.json"
BACKTEST_MIN_PRICE = 5.0  # below it, the fixed part of the fees exceeds what a trade can earn
BACKTEST_CARDS = 2_000  # a sample large enough for any market, at a fraction of the memory


def register(
    collected: Collected,
    data_version: str,
    parameters: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    tags: Mapping[str, str],
    other_horizons: Sequence[int] = (),
) -> RegisteredModel:
    """Register a fitted model by `register_version`, and make it challenger."""
    model = register_version(collected, data_version, parameters, evaluation, tags, other_horizons)
    Registry().set_alias(CHALLENGER, model.version)
    return model


def register_version(
    collected: Collected,
    data_version: str,
    parameters: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    tags: Mapping[str, str],
    other_horizons: Sequence[int] = (),
) -> RegisteredModel:
    """Write the price book of a fitted model, log it as a run, and register it.

    The book has forecasts at those of `other_horizons`, in days, that the history allows. The tag
    `metaflow_run_id` identifies the flow's run; without it every call makes a version. A model
    without evaluation is tagged so.
    """
    registry = Registry()
    if missing := evaluation.get("not_evaluated"):
        tags = {**tags, NOT_EVALUATED: headline(missing)}
    run = tags.get("metaflow_run_id", "")
    fitted = (parameters["model"], parameters["horizon"])
    registration = registration_of(run, collected.raw_version, data_version, *fitted)
    if model := registered(registry, registration):
        return model
    identified = {**tags, REGISTRATION: registration} if registration else tags
    return _log_and_register(
        registry, collected, data_version, parameters, evaluation, identified, other_horizons
    )


def _log_and_register(
    registry: Registry,
    collected: Collected,
    data_version: str,
    parameters: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    tags: Mapping[str, str],
    other_horizons: Sequence[int],
) -> RegisteredModel:
    written = _written_book(
        registry.books, collected, data_version, parameters, evaluation, tags, other_horizons
    )
    facts, digest = written.facts, written.digest
    run_id = registry.log_run(
        written.folder,
        parameters={
            "model": facts.model,
            "horizon": facts.horizon,
            "source": facts.source,
            "cards": written.cards,
            "days": written.days,
        },
        metrics=dict(facts.metrics),
        tags={
            "data_version": data_version,
            "raw_version": collected.raw_version,
            "git_commit": facts.git_commit,
            "model": facts.model,
            "source": facts.source,
            MARKET: facts.market,
            SKILL: str(evaluation["skill"]),
            LAST_DAY: written.last_day.isoformat(),
            DIGEST: digest,
            **tags,
        },
        documents={
            "parameters.json": dict(parameters),
            "evaluation.json": dict(evaluation),
            BACKTEST: written.backtest,
            **model_documents(PriceBook.open(written.folder, digest)),
        },
    )
    model = register_once(registry, run_id, digest)
    prune(registry.books, RegistrySettings.read().books_kept, written.folder)
    return model


@dataclass(frozen=True, slots=True)
class _WrittenBook:
    """A price book in its folder, and what is said of the panel that it was written from."""

    folder: Path
    digest: str
    facts: BookFacts
    backtest: dict[str, Any]
    cards: int
    days: int
    last_day: date


def _written_book(
    books: Path,
    collected: Collected,
    data_version: str,
    parameters: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    tags: Mapping[str, str],
    other_horizons: Sequence[int],
) -> _WrittenBook:
    """Write the price book. The memory of its panel is free before it is read again."""
    panel = open_panel(data_version)
    horizon = parameters["horizon"]
    further, missing = further_horizons(panel.quoted_days, horizon, other_horizons)
    facts = replace(
        _facts(collected, data_version, parameters, evaluation, panel, tags),
        missing_horizons=missing,
    )
    valued = valued_days(restore(parameters), panel, BOOK_DAYS, further)
    catalog = open_raw_lake(collected.raw_version).catalog()
    folder, digest = write_book_of(books, panel, valued, catalog, facts)
    backtest = _backtest(panel, valued, facts)
    last_day = panel.dates[-1].item()
    return _WrittenBook(folder, digest, facts, backtest, panel.cards, panel.days, last_day)


def _facts(
    collected: Collected,
    data_version: str,
    parameters: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    panel: Panel,
    tags: Mapping[str, str],
) -> BookFacts:
    return BookFacts(
        data_version=data_version,
        created_at=datetime.now(UTC),
        model=parameters["model"],
        horizon=parameters["horizon"],
        currency=str(panel.currency[0]),
        source=collected.source,
        market=collected.market,
        git_commit=git_commit(),
        run_id=tags.get("metaflow_run_id", ""),
        metrics=evaluation_metrics(evaluation),
        not_evaluated=tags.get(NOT_EVALUATED, ""),
    )


def evaluation_metrics(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of an evaluation by name.

    The ends of the intervals of INTERVALS end in `_low` and `_high`, and scores on quotes renewed
    within the horizon begin with `renewed_`.
    """
    found = {
        name: float(value) for name, value in evaluation.items() if isinstance(value, (int, float))
    }
    renewed: Mapping[str, Any] = evaluation.get("fresh", {})
    for name in INTERVALS:
        if (value := renewed.get(name)) is not None:
            found[f"renewed_{name}"] = float(value)
        for prefix, scores in (("", evaluation), ("renewed_", renewed)):
            if (ends := scores.get(f"{name}_ci")) is not None:
                low, high = map(float, ends)
                found |= {f"{prefix}{name}_low": low, f"{prefix}{name}_high": high}
    return found


def _backtest(panel: Panel, valued: ValuedDays, facts: BookFacts) -> dict[str, Any]:
    fees = configured_fees(facts.currency)
    found = backtest_valued(panel, valued, facts.horizon, fees, BACKTEST_MIN_PRICE, BACKTEST_CARDS)
    return {
        "min_price": BACKTEST_MIN_PRICE,
        "most_cards": BACKTEST_CARDS,
        "policies": [each.to_json() for each in found],
    }


def write_book_of(
    books: Path,
    panel: Panel,
    valued: ValuedDays,
    catalog: pa.Table,
    facts: BookFacts,
) -> tuple[Path, str]:
    """Write a price book to the folder `books`; return its own folder and its digest."""
    books.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=books) as scratch:
        written = Path(scratch) / "book"
        digest = write_book(written, catalog, book_rows(panel, valued), facts, valued.further)
        place(written, books / digest, digest)
    return books / digest, digest


def registration_of(run: str, *parts: object) -> str:
    """Return the id of the registration of a flow's run, "" without a run."""
    if not run:
        return ""
    return hashlib.sha256("\n".join(map(str, (run, *parts))).encode()).hexdigest()


def registered(registry: Registry, registration: str) -> RegisteredModel | None:
    """Return the version of an earlier attempt, if any.

    A complete run that has no version yet gets one.
    """
    if not registration:
        return None
    if found := _versions(registry, registration):
        return found[0]
    with registry.client("the runs cannot be searched") as client:
        experiment = client.get_experiment_by_name(registry.name)
        if experiment is None:
            return None
        where = f"tags.{REGISTRATION} = '{registration}' and attributes.status = 'FINISHED'"
        runs = client.search_runs([experiment.experiment_id], where)
    if not runs:
        return None
    return register_once(registry, runs[0].info.run_id, runs[0].data.tags[DIGEST])


def register_once(registry: Registry, run_id: str, digest: str) -> RegisteredModel:
    """Register a run's book; if another attempt was first, return its version instead."""
    new = registry.register(run_id, digest)
    registration = new.tags.get(REGISTRATION)
    if not registration:
        return new
    first = _versions(registry, registration)[0]
    if first.version != new.version:
        with registry.client(f"model version {new.version} cannot be deleted") as client:
            client.delete_model_version(registry.name, new.version)
    return first


def _versions(registry: Registry, registration: str) -> list[RegisteredModel]:
    """Return the versions of a registration, oldest first."""
    return registry.versions(f"tags.{REGISTRATION} = '{registration}'")[::-1]
