"""Registering once, also where the process is killed between any two writes."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pokewatch.market.versions import DataVersions
from pokewatch.pipeline.registration import evaluation_metrics, register
from pokewatch.registry import CHALLENGER, CHAMPION, Registry
from pokewatch.settings import Home
from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.book.layout import from_float32
from pokewatch.valuation.models import restore
from pokewatch.valuation.processed import read_processed
from tests.champion import MODEL, make_champion, prepare
from tests.deploy.processes import Writes, start
from tests.monitoring.rulebook import rules

TAGS = {"metaflow_run_id": "run-7", "metaflow_flow": "PokeWatchFlow"}

Prepared = tuple[Any, Any, Any, Any]
Given = tuple[Any, Any, Any, Any, Any]


@pytest.fixture
def prepared(registry_home: Path) -> Prepared:
    """What the step `register` is given."""
    collected, data_version, parameters, evaluation = prepare(cards=120, days=60)
    return collected, data_version, parameters[MODEL], evaluation.to_dict()


def test_the_error_of_a_score_and_its_value_on_renewed_quotes_are_metrics() -> None:
    evaluation = {
        "n": 900,
        "skill": "better",
        "rmae_last": 0.9,
        "rmae_last_ci": [0.8, 1.0],
        "coverage_90": None,
        "coverage_90_ci": None,
        "fresh": {"n": 400, "rmae_last": 0.85, "rmae_last_ci": [0.7, 0.9], "coverage_90": None},
    }
    assert evaluation_metrics(evaluation) == {
        "n": 900.0,
        "rmae_last": 0.9,
        "rmae_last_low": 0.8,
        "rmae_last_high": 1.0,
        "renewed_rmae_last": 0.85,
        "renewed_rmae_last_low": 0.7,
        "renewed_rmae_last_high": 0.9,
    }


def test_the_rules_are_about_metrics_of_an_evaluation(prepared: Prepared) -> None:
    """A rule about a metric that no book has would never fire."""
    expressions = " ".join(rule["expr"] for rule in rules())
    named = set(re.findall(r'pokewatch_evaluation\{[^}]*metric="(\w+)"', expressions))
    assert "renewed_coverage_90_low" in named
    assert named <= evaluation_metrics(prepared[3]).keys()


def registering(environment: Mapping[str, str], given: Given, writes: Writes) -> None:
    import warnings

    warnings.simplefilter("ignore")
    os.environ.update(environment)
    writes.install()
    register(*given)


def whole(registry: Registry) -> None:
    """There is one version, the challenger, with its book and documents."""
    (only,) = registry.versions()
    assert registry.resolve(CHALLENGER) == only
    PriceBook.open(registry.download_book(only), only.digest)
    assert registry.document(only, "parameters.json")["model"] == MODEL


def check(prepared: Prepared, step: int) -> None:
    registry = Registry()
    points = [(at, when) for at in range(1, 10) for when in ("before", "after")]
    for attempt, (at, when) in enumerate(points[::step]):
        given = (*prepared, TAGS | {"metaflow_run_id": str(attempt)})
        process = start(registering, given, Writes(at, when))
        process.join()
        assert process.exitcode in (-9, 0)
        model = register(*given)
        same = [
            each for each in registry.versions() if each.tags["metaflow_run_id"] == str(attempt)
        ]
        assert [each.version for each in same] == [model.version], (at, when)
        assert registry.resolve(CHALLENGER) == model
        PriceBook.open(registry.download_book(model), model.digest)
        assert registry.document(model, "backtest.json")["policies"]


@pytest.mark.slow
def test_killed_at_some_writes_there_is_one_version(prepared: Prepared) -> None:
    check(prepared, 5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_any_write_there_is_one_version(prepared: Prepared) -> None:
    check(prepared, 1)


@pytest.mark.slow
def test_two_attempts_at_once_make_one_version(prepared: Prepared) -> None:
    given = (*prepared, TAGS)
    attempts = [start(registering, given, Writes(0, "never")) for _ in range(2)]
    for process in attempts:
        process.join()
        assert process.exitcode == 0
    whole(Registry())


def test_another_run_or_other_data_is_another_version(prepared: Prepared) -> None:
    first = register(*prepared, TAGS)
    assert register(*prepared, TAGS) == first
    assert register(*prepared, TAGS | {"metaflow_run_id": "run-8"}).version == "2"


def test_the_books_of_former_runs_are_removed_from_this_machine(prepared: Prepared) -> None:
    runs = [register(*prepared, TAGS | {"metaflow_run_id": f"run-{run}"}) for run in range(5)]
    kept = {path.name for path in Home.read().books.iterdir() if path.is_dir()}
    assert kept == {model.digest for model in runs[2:]}
    assert Registry().open_book(runs[0]).facts.model == MODEL  # it is fetched again


def test_a_registered_version_has_its_provenance(prepared: Prepared) -> None:
    collected, data_version, *_ = prepared
    registered = register(*prepared, TAGS)
    assert Registry().resolve(CHALLENGER) == registered
    assert registered.data_version == data_version
    assert registered.tags["raw_version"] == collected.raw_version
    assert len(registered.tags["git_commit"]) in (0, 40)
    evaluation = Registry().document(registered, "evaluation.json")
    assert {
        "mape",
        "rmse",
        "coverage_rate",
        "buy_rate",
        "sell_rate",
        "hold_rate",
        "dataset_size",
        "rmae_last",
        "rmae_median7",
    } <= set(evaluation)


def test_from_the_data_version_alone_the_same_fair_prices_come_back(
    champion_home: Path, tmp_path: Path
) -> None:
    registered = Registry().resolve(CHAMPION)
    book = PriceBook.open(Registry().download_book(registered), registered.digest)

    folder = tmp_path / "empty" / "data"
    DataVersions(tmp_path / "empty").materialise(registered.data_version, folder)
    panel = read_processed(folder)
    values = restore(Registry().document(registered, "parameters.json")).value(
        panel, panel.days - 1
    )

    quotes = book.look_up(panel.card_id.tolist())
    for recomputed, served in (
        (values.fair, quotes.fair),
        (values.lower, quotes.lower),
        (values.upper, quotes.upper),
    ):
        np.testing.assert_array_equal(from_float32(recomputed.astype(np.float32)), served)


@pytest.mark.slow
def test_the_same_pipeline_twice_gives_the_same_numbers(registry_home: Path) -> None:
    first, second = (make_champion(cards=120, days=60).model for _ in range(2))
    assert (first.version, second.version) == ("1", "2")
    assert first.data_version == second.data_version
    parameters = [Registry().document(each, "parameters.json") for each in (first, second)]
    assert parameters[0] == parameters[1]


def test_the_book_has_forecasts_at_the_further_horizons_of_the_history(prepared: Prepared) -> None:
    registry = Registry()
    model = register(*prepared, TAGS, other_horizons=[90, 14])
    book = registry.open_book(model)
    assert book.forecasts.horizons == (14,)
    assert book.facts.missing_horizons == {90: "60 days of prices, 181 are needed"}
    assert book.forecasts.of_card(0)[0].fair > 0
