"""The cards of a lake, which days, catalogue or both may lack."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pokewatch.errors import ValuationError
from pokewatch.market.collect import collect
from pokewatch.market.lake import Lake
from pokewatch.market.sources.simulated import SimulatedSource
from pokewatch.valuation.lake_cards import lake_cards

DAYS = [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    collect(SimulatedSource(12), lake, DAYS)
    return lake


def keep(lake: Lake, day: date, positions: list[int]) -> None:
    lake.write_day(day, lake.day(day).take(pa.array(positions)))


def test_cards_of_any_day_are_listed_once_in_order(lake: Lake) -> None:
    every = lake.day(DAYS[0])["card_id"].to_pylist()
    keep(lake, DAYS[0], [4, 2])
    keep(lake, DAYS[1], [2, 7])
    keep(lake, DAYS[2], [8])
    found = lake_cards(lake, DAYS[0], DAYS[1])
    assert found.card_id.tolist() == [every[2], every[4], every[7]]
    catalog = lake.catalog()
    rarities = dict(zip(catalog["card_id"].to_pylist(), catalog["rarity"].to_pylist(), strict=True))
    assert found.texts["rarity"].tolist() == [rarities[each] for each in found.card_id]


def test_a_card_that_the_catalogue_lacks_has_no_texts(lake: Lake) -> None:
    catalog = lake.catalog()
    lost = catalog["card_id"][3].as_py()
    lake.write_catalog(catalog.filter(pc.not_equal(catalog["card_id"], lost)))
    found = lake_cards(lake, DAYS[0], DAYS[2])
    place = found.card_id.tolist().index(lost)
    assert found.card_id.tolist() == lake.day(DAYS[0])["card_id"].to_pylist()
    assert {name: text[place] for name, text in found.texts.items()} == {
        "set_id": "",
        "rarity": "",
        "printing": "",
    }
    assert np.flatnonzero(np.isnat(found.released)).tolist() == [place]


def test_days_without_prices_raise(lake: Lake) -> None:
    with pytest.raises(ValuationError, match="no prices from 2025-01-01"):
        lake_cards(lake, date(2025, 1, 1), date(2025, 1, 2))
