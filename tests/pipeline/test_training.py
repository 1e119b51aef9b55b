"""Training and evaluation on a small simulated market."""

from datetime import date
from pathlib import Path

import pytest

from pokewatch.pipeline.collect import collect_prices
from pokewatch.pipeline.processing import join_shards, process_shard
from pokewatch.pipeline.registration import register
from pokewatch.pipeline.training import evaluate_candidate, too_long, train, trials

pytestmark = pytest.mark.integration


def test_five_days_are_enough_for_one_day_ahead(registry_home: Path) -> None:
    collected = collect_prices("simulated", days=5, cards=120, end=date(2026, 1, 31))
    data_version = join_shards([process_shard(collected, 0, 1)])
    evaluation = evaluate_candidate(data_version, "local_level", 1)
    assert not evaluation.to_dict()["enough_origins"]
    parameters = train(data_version, ["local_level"], 1)["local_level"]
    assert register(collected, data_version, parameters, evaluation.to_dict(), {}).version == "1"


def test_horizons_that_the_days_are_too_few_for_are_left_out_with_the_reason(home: Path) -> None:
    collected = collect_prices("simulated", days=61, cards=60, end=date(2026, 3, 2))
    version = join_shards([process_shard(collected, 0, 1)])
    left_out = too_long(version, [7, 30, 90, 90])
    assert left_out == [(90, "61 days of prices, 181 are needed")]
    assert trials(["median7"], [7, 30, 90, 30], left_out) == [("median7", [7, 30])]


def test_the_horizons_of_a_costly_model_are_tasks_of_their_own() -> None:
    assert trials(["last", "boosted"], [7, 30], []) == [
        ("last", [7, 30]),
        ("boosted", [7]),
        ("boosted", [30]),
    ]
