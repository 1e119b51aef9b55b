"""Exports of one day, as collection trackers and shops write them (invented rows)."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pokewatch.errors import SourceError
from pokewatch.market.sources.file import FileSource
from pokewatch.market.tabular.dates import parse_time
from pokewatch.market.tabular.sheet import Sheet
from pokewatch.market.tabular.snapshot import with_day
from pokewatch.settings import SourceSettings

COLLECTR = """Set,Product Name,Card Number,Variance,Grade,Market Price (As of 2026-11-24),Date Added
Evolving Skies,Umbreon VMAX,215/203,Holofoil,Ungraded,"$1,412.37",2026-05-01
151,Charizard ex,199/165,Holofoil,PSA 10.0 GEM - MT,310.20,6/30/2026
"""
TCGPLAYER = """TCGplayer Id,Set Name,Product Name,Number,Condition,TCG Market Price,TCG Low Price
"3144502","SV: 151","Charizard ex","199/165","Near Mint Holofoil","310.2000","299.0000"
"3144503","SV: 151","Charizard ex","199/165","Lightly Played Holofoil","260.1000","255.0000"
"""
CARDMARKET = "idProduct;groupCount;price;condition\n715954;1;12,00;2\n401774;1;1,50;2\n"
Rows = list[tuple[str, str, float, str]]


def rows(tmp_path: Path, content: str, **settings: Any) -> Rows:
    path = tmp_path / "export.csv"
    path.write_text(content)
    now = datetime(2026, 11, 25, tzinfo=UTC)
    source = FileSource(SourceSettings.read(**settings), path, now=lambda: now)
    source.reach()
    return [
        (row["card_id"], row["date"].isoformat(), row["market_price"], row["currency"])
        for row in source.table.prices.to_pylist()
    ]


def test_the_day_is_in_a_heading(tmp_path: Path) -> None:
    assert rows(tmp_path, COLLECTR) == [
        ("charizard-ex-151-199-165-holofoil", "2026-11-24", 310.2, "USD"),
        ("umbreon-vmax-evolving-skies-215-203-holofoil", "2026-11-24", 1412.37, "USD"),
    ]


def test_ids_of_conditions_are_not_those_of_products(tmp_path: Path) -> None:
    day = date(2026, 11, 24)
    found = rows(tmp_path, TCGPLAYER, file_day=day, file_key=("Condition",))
    assert [(card_id, value) for card_id, _, value, _ in found] == [
        ("charizard-ex-sv-151-199-165-lightly-played-holofoil", 260.1),
        ("charizard-ex-sv-151-199-165-near-mint-holofoil", 310.2),
    ]
    with pytest.raises(SourceError, match="the column 'Condition' distinguishes"):
        rows(tmp_path, TCGPLAYER, file_day=day)


def test_the_day_and_the_card_can_be_given(tmp_path: Path) -> None:
    given = {"file_columns": "card_id=idProduct", "file_currency": "EUR"}
    assert rows(tmp_path, CARDMARKET, file_day=date(2026, 11, 24), **given) == [
        ("401774", "2026-11-24", 1.5, "EUR"),
        ("715954", "2026-11-24", 12.0, "EUR"),
    ]
    with pytest.raises(SourceError, match="give the day of all rows: POKEWATCH_FILE_DAY="):
        rows(tmp_path, CARDMARKET, **given)


def test_a_column_of_dates_is_used_before_a_given_day(tmp_path: Path) -> None:
    content = "card_id,date,price\na,2026-11-01,2\n"
    assert rows(tmp_path, content, file_day=date(2026, 11, 24))[0][1] == "2026-11-01"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", [" ", "(as of ", "( as of"])
def test_a_long_heading_is_read_in_proportion_to_its_length(unit: str) -> None:
    heading = "price (as of " + unit * (400_000 // len(unit))
    sheet = Sheet((heading,), (pa.chunked_array([pa.array(["1"])]),), np.array([2]))
    assert with_day(sheet, {}, None) == sheet


@pytest.mark.timeout(60)
def test_a_time_after_many_blanks_is_none_in_proportion_to_its_length() -> None:
    assert parse_time(f"12:00{' ' * 400_000}x") is None
