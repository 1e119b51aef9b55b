"""The result does not depend on the number of shards."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pokewatch.market.lake import Lake
from pokewatch.market.versions import DataVersions
from pokewatch.pipeline.collect import collect_prices
from pokewatch.pipeline.processing import join_shards, process_shard
from pokewatch.pipeline.registration import write_book_of
from pokewatch.pipeline.training import train
from pokewatch.settings import Home
from pokewatch.valuation.models import MODELS, restore
from pokewatch.valuation.processed import read_processed
from pokewatch.valuation.valued_days import valued_days
from tests.serving.books import FACTS

pytestmark = pytest.mark.integration


def test_the_data_version_does_not_depend_on_the_shards(home: Path) -> None:
    collected = collect_prices("simulated", days=5, cards=1000, end=date(2026, 1, 31))
    made = {
        shards: [process_shard(collected, shard, shards) for shard in range(shards)]
        for shards in (1, 3, 10)
    }
    assert {shards: len(set(filter(None, versions))) for shards, versions in made.items()} == {
        1: 1,
        3: 3,
        10: 8,
    }, "there are 8 buckets"
    assert len({join_shards(versions) for versions in made.values()}) == 1


def _results(shards: int, filled: int) -> tuple[str, dict[str, dict[str, Any]], dict[str, str]]:
    """Return the data version, the parameters of every model and the digests of their books."""
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
            Home.read().books,
            panel,
            valued_days(restore(parameters[name]), panel, 3),
            catalog,
            facts,
        )[1]
    return data_version, parameters, digests


@pytest.mark.slow
def test_ten_shards_and_one_give_the_same_models_and_books(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for shards, filled in ((1, 1), (10, 8)):
        # Neither can use what the other has stored.
        monkeypatch.setenv("POKEWATCH_HOME", str(tmp_path / str(shards)))
        made.append(_results(shards, filled))
    assert made[0] == made[1]
