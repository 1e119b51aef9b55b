"""Texts far longer than a card's: arrays of texts take the room of the longest in every row."""

from pathlib import Path

import pyarrow as pa
import pytest

from pokewatch.market.tabular.currencies import named_currencies
from tests.market.tabular.tables import read

LONG = "x" * 1_001
COLUMNS = ("card_id", "date", "price", "name", "set_name", "rarity", "printing", "image_url")


def with_long(column: str, text: str = LONG) -> str:
    rows = [
        dict.fromkeys(COLUMNS, "said") | {"card_id": card, "date": "2026-09-13", "price": "12.5"}
        for card in ("a-1", "b-2")
    ]
    rows[1][column] = text
    return "\n".join([",".join(COLUMNS), *(",".join(row.values()) for row in rows), ""])


@pytest.mark.parametrize("column", COLUMNS[3:])
def test_a_long_text_is_left_empty_and_its_price_stays(tmp_path: Path, column: str) -> None:
    table = read(tmp_path, with_long(column))
    assert table.prices["card_id"].to_pylist() == ["a-1", "b-2"]
    (note,) = table.notes
    assert note.startswith(
        f"{column} is longer than 1,000 characters: left empty in 1 row (first in line 3: 'xxx"
    )
    assert LONG not in str(table.cards.to_pylist())
    exactly = read(tmp_path, with_long(column, LONG[1:]))
    assert exactly.notes == ()
    if column != "image_url":
        assert exactly.cards[column].to_pylist() == ["said", LONG[1:]]


@pytest.mark.parametrize("column", ["card_id", "name"])
def test_a_card_with_a_long_identity_is_left_out(tmp_path: Path, column: str) -> None:
    table = read(tmp_path, f"{column},date,price\na-1,2026-09-13,1\n{LONG},2026-09-13,2\n")
    assert table.prices["card_id"].to_pylist() == ["a-1"]
    assert table.rejected["reason"].to_pylist() == [f"{column} is longer than 1,000 characters"]


def test_a_long_currency_takes_no_room_in_the_other_rows() -> None:
    said = named_currencies(pa.chunked_array([["EUR", LONG, "usd", None]]))
    assert said.tolist() == ["EUR", "?", "USD", ""]
    assert said.dtype == "<U3"
