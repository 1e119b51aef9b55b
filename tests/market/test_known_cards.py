"""Files with product ids get names, sets, numbers and images from TCGplayer's catalogue."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.market.collect import collect, requested_days
from pokewatch.market.known_cards import other_lakes, with_known_cards
from pokewatch.market.lake import Lake
from pokewatch.market.sources.file import FileSource
from pokewatch.settings import SourceSettings

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def card(product: int, printing: str, **others: Any) -> dict[str, Any]:
    row = {
        "card_id": f"tcgplayer-{product}-{printing.lower().replace(' ', '-')}",
        "slug": f"umbreon_{product}_{printing.lower()}",
        "name": "Umbreon VMAX",
        "set_id": "tcgplayer-group-2848",
        "set_name": "Evolving Skies",
        "number": "215/203",
        "rarity": "Secret Rare",
        "printing": printing,
        "released": date(2021, 8, 27),
        "image_url": f"https://images.example/{product}.jpg",
        "source_ids": f'{{"tcgplayer": {product}}}',
        "game": "Pokemon",
        "kind": "single",
        "language": "English",
        "set_code": "SWSH07",
    }
    return row | others


@pytest.fixture
def lakes(tmp_path: Path) -> Path:
    """A home whose tcgcsv lake knows three cards."""
    known = [
        card(246723, "Holofoil"),
        card(600, "Normal", name="Nidoran ♀", number="55"),
        card(600, "Reverse Holofoil", name="Nidoran ♀", number="55", rarity="Common"),
        card(700, "Normal", name="tcgplayer-700-normal"),  # not named yet
    ]
    table = pa.Table.from_pylist(known, schema=CARD_SCHEMA)
    Lake(tmp_path / "lake" / "tcgcsv").write_catalog(table)
    return tmp_path / "lake"


def collected(lakes: Path, content: str) -> list[dict[str, Any]]:
    path = lakes.parent / "panel.csv"
    path.write_text(content)
    source = FileSource(SourceSettings.read(), path, now=lambda: NOW)
    lake = Lake(lakes / source.lake_name)
    report = collect(source, lake, requested_days(source, None, None, None))
    assert report.held == {}
    rows: list[dict[str, Any]] = lake.catalog().to_pylist()
    return rows


@pytest.mark.parametrize(
    "content",
    [
        "card_id,date,price\ntcgplayer-246723-holofoil,2026-11-20,1400\n",
        "product_id,printing,date,price\n246723,Holofoil,2026-11-20,1400\n",
        "product_id,sub_type,date,price\n246723,Holofoil,2026-11-20,1400\n",
        "TCGplayer Id,date,price\n246723,2026-11-20,1400\n",
        "card_id,product_id,set,date,price\nmine-1,246723,tcgplayer-group-2848,2026-11-20,1400\n",
    ],
)
def test_a_product_gets_what_the_catalogue_knows(lakes: Path, content: str) -> None:
    (row,) = collected(lakes, content)
    known = card(246723, "Holofoil")

    same = ("name", "set_id", "set_name", "number", "rarity", "printing", "image_url", "released")
    assert {name: row[name] for name in same} == {name: known[name] for name in same}
    assert (row["game"], row["set_code"]) == ("Pokemon", "SWSH07")
    assert row["slug"] == "umbreon_vmax_215"
    assert '"tcgplayer": 246723' in row["source_ids"]


def test_the_names_of_the_file_stay(lakes: Path) -> None:
    (row,) = collected(
        lakes,
        "product_id,name,set,number,date,price\n246723,My Umbreon,Best of,7,2026-11-20,1400\n",
    )

    assert (row["name"], row["set_name"], row["number"]) == ("My Umbreon", "Best of", "7")
    assert row["rarity"] == "Secret Rare"


def test_a_product_of_several_printings_without_one_has_no_printing(lakes: Path) -> None:
    (row,) = collected(lakes, "product_id,date,price\n600,2026-11-20,3\n")
    assert (row["name"], row["number"], row["printing"]) == ("Nidoran ♀", "55", None)

    rows = collected(lakes, "product_id,printing,date,price\n600,Reverse Holofoil,2026-11-20,3\n")
    assert ("Reverse Holofoil", "Common") in {(row["printing"], row["rarity"]) for row in rows}


def test_unknown_products_and_other_ids_stay_as_they_are(lakes: Path) -> None:
    rows = collected(
        lakes,
        "card_id,date,price\ntcgplayer-999-normal,2026-11-20,3\ntcgplayer-700-normal,2026-11-20,3\n"
        "sv1-25,2026-11-20,4\n",
    )
    assert [row["name"] for row in rows] == [row["card_id"] for row in rows]


def test_names_come_with_the_next_collection_once_the_catalogue_is_there(tmp_path: Path) -> None:
    content = "product_id,printing,date,price\n246723,Holofoil,2026-11-20,1400\n"
    lakes = tmp_path / "lake"
    assert collected(lakes, content)[0]["name"] == "tcgplayer-246723-holofoil"

    known = pa.Table.from_pylist([card(246723, "Holofoil")], schema=CARD_SCHEMA)
    Lake(lakes / "tcgcsv").write_catalog(known)
    assert collected(lakes, content)[0]["name"] == "Umbreon VMAX"

    (lakes / "tcgcsv" / "raw" / "catalog" / "part.parquet").unlink()
    assert collected(lakes, content)[0]["name"] == "Umbreon VMAX"


def test_lakes_of_files_are_not_read(lakes: Path) -> None:
    Lake(lakes / "file-a-1").write_catalog(CARD_SCHEMA.empty_table())
    assert [lake.root.name for lake in other_lakes(Lake(lakes / "file-b-2"))] == ["tcgcsv"]
    assert other_lakes(Lake(lakes.parent / "nowhere" / "file-b-2")) == []


@pytest.mark.slow
def test_the_real_panel_gets_a_name_for_every_product(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "tcgcsv_daily.parquet"
    source = FileSource(SourceSettings.read(), path)
    own = source.catalog()
    printings = own["printing"].to_pylist()
    ids = own["card_id"].to_pylist()
    named = [
        card(int(card_id.split("-")[1]), printing, card_id=card_id, slug=f"s{row}")
        for row, (card_id, printing) in enumerate(zip(ids, printings, strict=True))
    ]
    known = Lake(tmp_path / "tcgcsv")
    known.write_catalog(pa.Table.from_pylist(named, schema=CARD_SCHEMA))

    joined = with_known_cards(own, [known])

    assert joined["card_id"].equals(own["card_id"])
    for name in ("name", "set_name", "number", "image_url"):
        assert joined[name].null_count == 0
    unnamed = sum(a == b for a, b in zip(joined["name"].to_pylist(), ids, strict=True))
    before = sum(a == b for a, b in zip(own["name"].to_pylist(), ids, strict=True))
    assert unnamed == 0 < before
