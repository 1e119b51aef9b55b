"""The steps of the pipeline, run in this process on a small simulated market."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pokewatch.errors import GateError, SettingsError
from pokewatch.market.lake import Lake
from pokewatch.market.versions import DataVersions
from pokewatch.pipeline.daily import (
    collect_prices,
    daily_figures,
    evaluate_candidate,
    join_shards,
    judge,
    process_shard,
    register,
    require_passed,
    train,
    validate,
    with_champion,
    write_book_of,
)
from pokewatch.registry import CHALLENGER, CHAMPION, Registry
from pokewatch.settings import Home
from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.book.layout import from_float32
from pokewatch.valuation.models import MODELS, restore
from pokewatch.valuation.processed import read_processed
from pokewatch.valuation.valued_days import valued_days
from tests.champion import Champion, make_champion
from tests.monitoring.listener import listening
from tests.serving.books import FACTS

pytestmark = pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy:DeprecationWarning",  # MLflow's models on SQLAlchemy 2.1
    "ignore:_NoneStep.value will soon raise:DeprecationWarning",  # DVC's use of pygtrie
    "ignore:'imghdr' is deprecated:DeprecationWarning",  # Apprise asks for it on Python 3.11 and 3.12
)


@pytest.fixture
def champion(registry_home: Path) -> Champion:
    return make_champion()


def test_the_data_version_does_not_depend_on_the_shards(home: Path) -> None:
    collected = collect_prices("simulated", days=5, cards=1000, end=date(2026, 1, 31))
    made = {
        shards: [process_shard(collected, shard, shards) for shard in range(shards)]
        for shards in (1, 3, 10)
    }
    assert {shards: len(set(filter(None, versions))) for shards, versions in made.items()} == {
        1: 1,
        3: 3,
        10: 7,
    }, "whole sets"
    assert len({join_shards(versions) for versions in made.values()}) == 1


def _made_with(shards: int, filled: int) -> tuple[str, dict[str, dict[str, Any]], dict[str, str]]:
    """The data version, the parameters of every model and the digests of their books, in the POKEWATCH_HOME of the moment."""
    collected = collect_prices("simulated", days=40, cards=400, end=date(2026, 1, 31))
    versions = [process_shard(collected, shard, shards) for shard in range(shards)]
    assert len(set(filter(None, versions))) == filled
    data_version = join_shards(versions)
    parameters = train(data_version, list(MODELS), 7)
    store = DataVersions(Home.read().home)
    panel, raw = read_processed(store.checkout(data_version)), store.checkout(collected.raw_version)
    catalog = Lake(raw.parent, raw=raw).catalog()
    digests = {}
    for name in MODELS:
        facts = replace(FACTS, data_version=data_version, model=name)
        digests[name] = write_book_of(
            panel, valued_days(restore(parameters[name]), panel, 3), catalog, facts
        )[1]
    return data_version, parameters, digests


def test_ten_shards_and_one_give_the_same_models_and_books(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for shards, filled in ((1, 1), (10, 2)):  # a shard has whole sets
        monkeypatch.setenv(
            "POKEWATCH_HOME", str(tmp_path / str(shards))
        )  # what the other made is out of reach
        made.append(_made_with(shards, filled))
    assert made[0] == made[1]


def test_the_same_days_collected_twice_are_the_same_version(home: Path) -> None:
    first, second = (
        collect_prices("simulated", days=5, cards=120, end=date(2026, 1, 31)) for _ in range(2)
    )
    assert first.raw_version == second.raw_version
    assert second.report["written"] == []


def test_from_the_data_version_alone_the_same_fair_prices_come_back(
    champion: Champion, tmp_path: Path
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


def test_a_registered_version_says_where_it_comes_from(champion: Champion) -> None:
    registered = Registry().resolve(CHALLENGER)
    assert registered == champion.model
    assert registered.tags["raw_version"] == champion.collected.raw_version
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


def test_the_same_pipeline_twice_gives_the_same_numbers(champion: Champion) -> None:
    again = make_champion()
    assert again.model.version == "2"
    assert again.model.data_version == champion.model.data_version
    first, second = (
        Registry().document(model, "parameters.json") for model in (champion.model, again.model)
    )
    assert first == second


def test_a_refused_candidate_is_told_with_its_figures(
    registry_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected = collect_prices("simulated", days=60, cards=120, end=date(2026, 1, 31))
    data_version = join_shards([process_shard(collected, 0, 1)])
    evaluation = evaluate_candidate(data_version, "median7", 7)
    monkeypatch.setenv("POKEWATCH_GATE_MAPE", "0.001")
    verdict = judge([evaluation])
    assert not verdict.passed
    with listening() as listener:
        monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", listener.address)
        for _ in range(2):
            with pytest.raises(GateError, match=r"mape is \d+\.\d+%, wanted <= 0\.001%"):
                require_passed(verdict)
    (heard,) = listener.heard
    assert heard["title"] == "PokeWatch: the gate refused median7"
    assert "wanted <= 0.001%" in heard["message"]
    assert "No model serves yet" in heard["message"]


def test_the_champion_is_compared_on_the_same_days(champion: Champion) -> None:
    verdict = judge(
        [
            evaluate_candidate(champion.model.data_version, name, 7)
            for name in ("rolling_mean", "median7")
        ]
    )
    assert verdict.champion == ("1", "median7")
    compared = next(check for check in verdict.checks if check.name == "champion")
    assert "[" in compared.actual


def test_prices_that_fail_their_checks_are_seen(home: Path) -> None:
    collected = collect_prices("simulated", days=5, cards=120, end=date(2026, 1, 31))
    assert all(check.passed for check in validate(collected))
    elsewhere = replace(collected, first_day=date(2020, 1, 1), last_day=date(2020, 1, 5))
    assert "days" in [check.name for check in validate(elsewhere) if not check.passed]


def test_daily_figures_are_one_a_day(home: Path) -> None:
    collected = collect_prices("simulated", days=5, cards=120, end=date(2026, 1, 31))
    figures = daily_figures(collected)
    assert len(figures["days"]) == 5
    assert {len(values) for values in figures["series"].values()} == {5}


def test_five_days_are_enough_for_one_day_ahead(registry_home: Path) -> None:
    collected = collect_prices("simulated", days=5, cards=120, end=date(2026, 1, 31))
    data_version = join_shards([process_shard(collected, 0, 1)])
    evaluation = evaluate_candidate(data_version, "local_level", 1)
    assert not evaluation["enough_origins"]
    parameters = train(data_version, ["local_level"], 1)["local_level"]
    assert register(collected, data_version, parameters, evaluation, {}).version == "1"


def test_the_champions_model_is_a_candidate(champion: Champion) -> None:
    assert with_champion(["rolling_mean"]) == ["rolling_mean", "median7"]
    assert with_champion(["median7"]) == ["median7"]


def test_fewer_days_than_needed_are_not_collected(home: Path) -> None:
    with pytest.raises(
        SettingsError, match="simulated has 3 days from 2024-01-01 to 2024-01-03; at least 15"
    ):
        collect_prices("simulated", days=400, cards=120, end=date(2024, 1, 3), needed=15)
    assert not (home / "lake").exists()
