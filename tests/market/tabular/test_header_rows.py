"""Rows that name columns, and rows that only seem to."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from tests.market.tabular.tables import found, read, table_of
from tests.market.tabular.workbook import Cell, write_workbook


@pytest.mark.parametrize("again", ["CARD_ID,DATE,PRICE", "Card ID,Date,Price"])
def test_a_header_in_another_case_begins_no_second_table(tmp_path: Path, again: str) -> None:
    table = read(tmp_path, f"card_id,date,price\na,2026-09-13,1\n{again}\na,2026-09-14,2\n")
    assert table.prices["market_price"].to_pylist() == [1.0, 2.0]
    assert table.rejected["reason"].to_pylist() == ["repeats the header"]


@pytest.mark.parametrize("kind", ["Pokemon,Foil", "Product,Pokemon"])
def test_words_that_name_columns_are_values_of_cards_without_a_price(
    tmp_path: Path, kind: str
) -> None:
    header = "name,game,printing,2026-09-12,2026-09-13\n"
    table = read(tmp_path, f"{header}Abra,{kind},5,6\nMew,{kind},,\nZubat,{kind},7,8\n")
    assert (table.prices["market_price"].to_pylist(), table.left_out) == ([5, 7, 6, 8], ())


def test_a_row_whose_cells_name_columns_is_not_the_header(tmp_path: Path) -> None:
    content = "name,type,game,2026-09-12,2026-09-13\nAbra,Product,Pokemon,5,6\n"
    assert read(tmp_path, content).prices["market_price"].to_pylist() == [5, 6]


def test_what_follows_another_header_is_left_out_with_its_lines(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        "card_id,date,price\na-1,2026-09-13,12.5\nset,date,value\nBase,2026-09-13,7\n,,\nX,x,1\n",
    )
    (left,) = table.left_out
    assert (left.reason, left.rows, left.line) == (
        "belongs to a second table, with other columns",
        3,
        3,
    )


@pytest.mark.parametrize("margin", ["", ","])
def test_a_second_row_of_the_header_is_no_table(tmp_path: Path, margin: str) -> None:
    """As a spreadsheet saves a header whose cells are merged."""
    lines = ["card_id,date,price,sold,", ",,,volume,trend", "a-1,2026-09-13,12.5,3,4"]
    table = read(tmp_path, "".join(f"{margin}{line}\n" for line in lines))
    assert table.prices["market_price"].to_pylist() == [12.5]
    assert [(each.line, each.reason) for each in table.left_out] == [
        (2, "date is missing"),
        (2, "card_id is missing"),
    ]


def test_a_second_table_beside_a_margin_is_one(tmp_path: Path) -> None:
    content = ",card_id,date,price\n,a-1,2026-09-13,12.5\n,set,date,value\n,Base,x,y\n"
    (left,) = read(tmp_path, content).left_out
    assert (left.reason, left.rows) == ("belongs to a second table, with other columns", 2)


def test_a_table_below_that_begins_in_a_later_column_is_another(tmp_path: Path) -> None:
    content = "name,set,date,price\nMew,Base,2026-09-13,1\n,name,date,market price\n,Abra,x,3\n"
    (left,) = read(tmp_path, content).left_out
    assert (left.reason, left.rows) == ("belongs to a second table, with other columns", 2)


@pytest.mark.parametrize(
    "content",
    [
        "My prices\n\nname,2026-09-12,2026-09-13\nMew,,12.5\n",
        "My prices 2026;;\n;;\nKarte;12.09.2026;13.09.2026\nMew;;12,5\n",
        "Report of,2026-09-12,2026-09-13\ncard,2026-09-12,2026-09-13\nMew,,12.5\n",
    ],
)
def test_a_column_of_cards_and_days_are_a_header_below_a_title(
    tmp_path: Path, content: str
) -> None:
    table = read(tmp_path, content)
    assert found(table) == [("mew", "2026-09-13", 12.5)]
    assert [each.reason for each in table.left_out] == ["stands before the header"]


def test_a_sheet_with_a_column_a_day_is_found_behind_another(tmp_path: Path) -> None:
    sheets: dict[str, Sequence[Sequence[Cell]]] = {
        "Notes": [["mine"], ["2026"]],
        "Prices": [["Card", date(2026, 9, 12), date(2026, 9, 13)], ["Mew", None, 12.5]],
    }
    write_workbook(tmp_path / "prices.xlsx", sheets)
    table = table_of(tmp_path / "prices.xlsx")
    assert found(table) == [("mew", "2026-09-13", 12.5)]
    assert table.notes == ("sheets that are not read: 'Notes'",)
