"""The cards of a shard, which prices or the catalogue may lack."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from pokewatch.market.collect import collect
from pokewatch.market.lake import Lake
from pokewatch.market.sources.simulated import SimulatedSource
from pokewatch.valuation.buckets import buckets_of
from pokewatch.valuation.lake_cards import shard_cards

DAYS = [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)]


SPAN = DAYS[0], DAYS[2]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    collect(SimulatedSource(12), lake, DAYS)
    return lake


def catalogue_without(lake: Lake, position: int) -> str:
    """Remove a card from the catalogue; return its id."""
    catalog = lake.catalog()
    lost: str = catalog["card_id"][position].as_py()
    lake.write_catalog(catalog.filter(pc.not_equal(catalog["card_id"], lost)))
    return lost


@pytest.mark.parametrize("shards", [1, 3])
def test_every_card_of_the_catalogue_is_in_one_shard_in_order(lake: Lake, shards: int) -> None:
    found = [shard_cards(lake, *SPAN, shard, shards) for shard in range(shards)]
    catalog = lake.catalog()
    every = catalog["card_id"].to_pylist()
    assert sorted(card for each in found for card in each.card_id.tolist()) == sorted(every)
    rarities = dict(zip(every, catalog["rarity"].to_pylist(), strict=True))
    buckets = dict(zip(every, buckets_of(every).tolist(), strict=True))
    for shard, each in enumerate(found):
        assert each.card_id.tolist() == sorted(each.card_id.tolist())
        assert each.bucket.tolist() == [buckets[card] for card in each.card_id]
        assert set((each.bucket % shards).tolist()) <= {shard}
        assert each.texts["rarity"].tolist() == [rarities[card] for card in each.card_id]


def test_a_card_that_the_catalogue_lacks_has_no_texts(lake: Lake) -> None:
    lost = catalogue_without(lake, 3)
    found = shard_cards(lake, *SPAN, 0, 1)
    place = found.card_id.tolist().index(lost)
    assert found.card_id.tolist() == sorted([*lake.catalog()["card_id"].to_pylist(), lost])
    assert {name: text[place] for name, text in found.texts.items()} == {
        "set_id": "",
        "rarity": "",
        "printing": "",
    }
    assert np.flatnonzero(np.isnat(found.released)).tolist() == [place]


def test_one_shard_has_the_cards_that_the_catalogue_lacks(lake: Lake) -> None:
    lost = {catalogue_without(lake, 3), catalogue_without(lake, 5)}
    found = [shard_cards(lake, *SPAN, shard, 3) for shard in range(3)]
    assert [len(lost & set(each.card_id.tolist())) for each in found] == [2, 0, 0]
    assert all(
        each.bucket[place] == 0
        for each in found
        for place in np.flatnonzero(np.isin(each.card_id, list(lost)))
    )


def test_such_cards_must_have_prices_in_the_days(lake: Lake) -> None:
    lost = catalogue_without(lake, 3)
    for day in DAYS[1:]:
        prices = lake.day(day)
        lake.write_day(day, prices.filter(pc.not_equal(prices["card_id"], lost)))
    assert lost in shard_cards(lake, *SPAN, 0, 1).card_id
    assert lost not in shard_cards(lake, *SPAN[1:], DAYS[2], 0, 1).card_id
