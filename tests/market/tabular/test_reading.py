import math
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pokewatch.market.sources import NO_PRICE
from pokewatch.market.tabular.sheet import TableError
from pokewatch.market.tabular.summary import summary
from tests.market.tabular.tables import A_12, found, read, table_of
from tests.market.tabular.workbook import Cell, write_workbook


@pytest.mark.parametrize(
    "content",
    [
        "card_id,date,market_price\na-1,2026-09-13,12.5\n",
        "card_id;date;market_price\na-1;13.09.2026;12,50\n",
        "sep=;\ncard_id;date;price\na-1;2026-09-13;12,5\n",
        "card_id\tdate\tprice\na-1\t9/13/2026\t$12.50\n",
        '\ufeffCard,Date,Price\r\na-1,Sep 13 2026,"$12.50"\r\n',
        "Karte;Datum;Preis (€)\na-1;13.9.26;12,50 €\n".encode("cp1252"),
        "card,day,price\na-1,20260913,12.5\n".encode("utf-16"),
        "card|date|price\n\na-1|46278|12.5\n\n",
        "My prices\n\ncard_id,date,price,\na-1,2026-09-13,12.5,\nTotal,,12.5,\n",
        "card_id,2026-09-12,2026-09-13\na-1,,12.50\n",
        "card_id,13.09.2026,14.09.2026\na-1,12.50,\n",
        "card_id,date,price\na-1,2026-09-12T23:30:00-05:00,12.5\n",
        "card_id,date,price\na-1,1789257600,12.5\n",
        "Report date,2026-11-20\nName,Bob\n\ncard_id,date,price\na-1,2026-09-13,12.5\n",
        "card_id,date,price\na-1,2026-09-13,12.5\n\nSource: my own\nMade on 2026-11-02, by me\n",
        "card_id,date,price\na-1,2026-09-13,12.5\ncard_id,date,price\n",
        "card_id,date,price\na-1,2026-09-13,12.5\n\nset,date,value\nBase,2026-09-13,7\n",
        "card_id,date,price\na-1,２０２６-０９-１３,１２.５０\n",  # noqa: RUF001
        "card_id,date,price\na-1,٢٠٢٦-٠٩-١٣,١٢٫٥\n",  # noqa: RUF001
        "card_id,date,price\na-1,2026年9月13日,12.5\n",
        "card_id,date,price\na-1,2026년 9월 13일,12.5\n",
        "card_id,date,price\na-1,13 de setembro de 2026,12.5\n",
        "card_id,date,price\na-1,13. sept. 2026,12.5\nTotal,2026-09-13,99\nSumme:,2026-09-13,9\n",
        "card_id,date,price\n\u200ba-1,2026-09-13,\u200e12.5\u200b\n",
        "card_id,date,price\n\u2068a-1\u2069,2026-09-13,\u206612.5\u2069\n",
        '"card_id", "date", "price"\n"a-1", "2026-09-13", "12.5"\n',
        "| card_id | date | price |\n|---|---|---|\n| a-1 | 2026-09-13 | 12.5 |\n",
        "card_id,2026-09-13,2026-09-14,Total\na-1,12.5,,12.5\nTotal,12.5,,12.5\n",
    ],
)
def test_the_same_price_in_any_form(tmp_path: Path, content: str | bytes) -> None:
    assert found(read(tmp_path, content)) == A_12


def test_a_workbook_is_read_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    rows: list[list[Cell]] = [
        ["My collection", None, None],
        ["Card ID", "Date", "Price"],
        ["a-1", date(2026, 9, 13), 12.5],
        ["a-1", date(2026, 9, 14), 13],
        [None, None, None],
        ["Total", None, 25.5],
    ]
    write_workbook(path, {"Notes": [["nothing here"]], "Prices": rows})
    table = table_of(path)
    assert found(table) == [*A_12, ("a-1", "2026-09-14", 13.0)]
    assert "sheet 'Prices', header in row 2" in table.form
    assert [str(each) for each in table.left_out] == [
        "1 row left out: the row is a total, not a card (first in line 6: 'Total')",
        "1 row left out: stands before the header (first in line 1: 'My collection, ,')",
    ]
    assert table.notes == ("sheets that are not read: 'Notes'",)


def test_a_line_break_in_quotes_far_into_a_file(tmp_path: Path) -> None:
    lines = [f'a-{number},"Card\n{number}",2026-09-13,{number}.5' for number in range(1, 40_001)]
    table = read(tmp_path, "\n".join(["card_id,name,date,market_price", *lines]))
    assert table.prices.num_rows == table.cards.num_rows == 40_000
    assert table.rejected.num_rows == 0


@pytest.mark.parametrize(
    ("cells", "reason", "cell"),
    [
        (
            "a-1,2026-09-13,-",
            "market_price is a placeholder, and the row has no other price",
            "'-'",
        ),
        (
            "a-1,2026-09-13,#N/A",
            "market_price is a placeholder, and the row has no other price",
            "'#N/A'",
        ),
        ("a-1,2026-09-13,cheap", "market_price is not a number", "'cheap'"),
        ("a-1,2026-09-13,0", "market_price is not above 0", "'0'"),
        ("a-1,2026-09-13,-3", "market_price is not above 0", "'-3'"),
        ("a-1,31.02.2026,3", "date is not a day like 2025-10-22", "'31.02.2026'"),
        ("a-1,,3", "date is missing", "''"),
        ("a-1,2031-01-01,3", "date is not between 1996-01-01 and 2026-11-25", "'2031-01-01'"),
        (",2026-09-13,3", "card_id is missing", "''"),
        ("a-1,2026-09-13,3,4", "the line has 4 cells, not 3", "'a-1, 2026-09-13, 3, 4'"),
        (
            "a-1,2026-09-13",
            "the line has 2 cells, not 3: it ends before 'market_price'",
            "'a-1, 2026-09-13'",
        ),
        ("a-1", "the line has 1 cell, not 3: it ends before 'date'", "'a-1'"),
        ("Grand total,2026-09-13,99", "the row is a total, not a card", "'Grand total'"),
        ("a-1,2026-09-13,15%", "market_price is not a number", "'15%'"),
        ("a-1,2026-09-13,5-6", "market_price is not a number", "'5-6'"),
        ("a-1,2026-09-13,£3", "the currency is not USD or EUR", "'£3'"),
        ("a-1,2026-09-13,1200円", "the currency is not USD or EUR", "'1200円'"),
        ("a-1,2026-09-13,=1+2", "market_price is not a number", "'=1+2'"),
        (
            "a-1,2026-09-13,—",
            "market_price is a placeholder, and the row has no other price",
            "'—'",
        ),
    ],
)
def test_a_bad_row_goes_with_its_line_and_cell(
    tmp_path: Path, cells: str, reason: str, cell: str
) -> None:
    table = read(tmp_path, f"card_id,date,market_price\nb-2,2026-09-13,7.5\n{cells}\n")
    assert found(table) == [("b-2", "2026-09-13", 7.5)]
    (left,) = table.left_out
    assert (left.reason, left.rows, left.line, left.cell) == (reason, 1, 3, cell)
    assert table.rejected["reason"].to_pylist() == [reason]


@pytest.mark.parametrize(
    "cell",
    ["$-", " $ -   ", "-  €", "-,--", "—.——", "€ -,--", "Sold out", "ausverkauft", "k. A.", "n/d"],
)
def test_a_price_may_say_in_its_own_way_that_there_is_none(tmp_path: Path, cell: str) -> None:
    table = read(tmp_path, f'card_id,date,price\na-1,2026-09-13,12.5\nb,2026-09-13,"{cell}"\n')
    assert found(table) == A_12
    assert table.rejected["reason"].to_pylist() == [NO_PRICE]


@pytest.mark.parametrize("cell", ["-5", "$ -5", "free", "-1.-", "--5"])
def test_another_text_is_an_error(tmp_path: Path, cell: str) -> None:
    table = read(tmp_path, f'card_id,date,price\na-1,2026-09-13,12.5\nb,2026-09-13,"{cell}"\n')
    assert (found(table), NO_PRICE in table.rejected["reason"].to_pylist()) == (A_12, False)


def test_a_bad_field_beside_a_good_price_costs_the_field(tmp_path: Path) -> None:
    table = read(tmp_path, "card_id,date,market_price,low\na-1,2026-09-13,12.5,0\n")
    assert found(table) == A_12
    assert table.prices["low_price"].to_pylist() == [None]


@pytest.mark.parametrize("column", ["low", "mid", "high", "avg7", "avg30", "volume", "stale_days"])
@pytest.mark.parametrize("cell", ["", "-", "N/A"])
def test_a_row_without_an_optional_number_stays(tmp_path: Path, column: str, cell: str) -> None:
    rows = f"a-1,2026-09-13,12.5,{cell}\nb-2,2026-09-13,7.5,3\n"
    table = read(tmp_path, f"card_id,date,market_price,{column}\n{rows}")
    assert found(table) == [*A_12, ("b-2", "2026-09-13", 7.5)]
    assert not table.left_out


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("volume", "many", "volume is not a number"),
        ("volume", "1.5", "volume is not a whole number of sales"),
        ("volume", "-2", "volume is not a whole number of sales"),
        ("low", "cheap", "low_price is not a number"),
        ("avg30", "=1+2", "avg30_price is not a number"),
        ("stale_days", "long", "stale_days is not a number"),
    ],
)
def test_a_bad_cell_that_a_row_need_not_have_costs_the_cell(
    tmp_path: Path, column: str, cell: str, reason: str
) -> None:
    rows = f"a-1,2026-09-13,12.5,4\nb-2,2026-09-13,7.5,{cell}\n"
    table = read(tmp_path, f"card_id,date,market_price,{column}\n{rows}")
    assert found(table) == [*A_12, ("b-2", "2026-09-13", 7.5)]
    assert not table.left_out
    assert table.notes == (f"{reason}: left empty in 1 row (first in line 3: '{cell}')",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        (
            "a,b\n1,2\n",
            "no column holds the card id; the columns are a, b; name it: "
            "POKEWATCH_FILE_COLUMNS=card_id=COLUMN",
        ),
        ("card_id,date,price,price\na,2026-01-01,1,2\n", "line 1: two columns are called 'price'"),
        (
            "card_id,date,price\na,03/04/2026,1\n",
            "line 2: date can be read as 2026-03-04 or "
            "2026-04-03: no cell of the column tells which (the cell says '03/04/2026'); name the "
            "order: POKEWATCH_FILE_DATES=dmy or mdy",
        ),
        (
            "card_id,date,price\na,13/04/2026,1\na,04/13/2026,1\n",
            "line 2: date is written in two orders: '13/04/2026' and '04/13/2026' (line 3)",
        ),
        (
            "card_id;date;price\na;2026-01-01;1.234\n",
            "line 2: market_price can be read as 1.234 or "
            "1234: no cell of the column tells which (the cell says '1.234'); name the decimal "
            "mark: POKEWATCH_FILE_DECIMAL=point or comma",
        ),
        (
            "card_id,date,price_usd,price_eur\na,2026-01-01,1,2\n",
            "line 1: the columns 'price_usd' and 'price_eur' both hold the market price; "
            "rename one, or name the right one: POKEWATCH_FILE_COLUMNS=market_price=...",
        ),
        (
            "card_id,date,market,price ($),price (€)\na,2026-01-01,1,2,3\n",
            "line 1: the columns 'price ($)' and 'price (€)' both hold the market price",
        ),
        (
            "card_id,2026-11-01,2026-11-01,2026-11-02\na,1,2,3\n",
            "line 1: two columns are called '2026-11-01'",
        ),
        (
            "card_id,condition,lang,date,price\na,NM,EN,2026-01-01,1\na,NM,DE,2026-01-01,2\n"
            "a,LP,EN,2026-01-01,3\n",
            "line 2: card a has several rows for 2026-01-01, which the columns 'condition' and "
            "'lang' distinguish: NM, EN at 1, NM, DE at 2; treat each as a card: "
            "POKEWATCH_FILE_KEY=condition,lang",
        ),
        (
            'card_id,date,price\na,2026-01-01,"1\nb,2026-01-01,2\n',
            "line 2: the record that begins "
            "here cannot be read: a quote is opened and never closed",
        ),
        (
            "card_id,grade,date,price\na,PSA 9,2026-01-01,1.5\na,PSA 10,2026-01-01,9.5\n",
            "line 2: card a has several rows for 2026-01-01, which the column 'grade' distinguishes: "  # noqa: E501
            "PSA 9 at 1.5, PSA 10 at 9.5; treat each as a card: POKEWATCH_FILE_KEY=grade",
        ),
    ],
)
def test_what_is_refused_is_explained(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(TableError) as refused:
        read(tmp_path, content)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("content", "options", "wanted"),
    [
        ("card_id,date,price\na,03/04/2026,1\n", {"dates": "mdy"}, ("a", "2026-03-04", 1.0)),
        (
            "card_id;date;price\na;2026-01-01;1.234\n",
            {"decimal": "comma"},
            ("a", "2026-01-01", 1234.0),
        ),
        (
            "sku,date,cost\na,2026-01-01,1\n",
            {"columns": {"market_price": "cost"}},
            ("a", "2026-01-01", 1.0),
        ),
        ("card_id,grade,date,price\na,9,2026-01-01,1.5\na,10,2026-01-01,9.5\n", {"key": ("grade",)},
         ("a-10", "2026-01-01", 9.5)),
    ],
)  # fmt: skip
def test_what_the_user_says_settles_it(
    tmp_path: Path, content: str, options: dict[str, Any], wanted: tuple[str, str, float]
) -> None:
    assert found(read(tmp_path, content, **options))[0] == wanted


def test_rows_of_one_card_and_day(tmp_path: Path) -> None:
    rows = [
        "a,2026-01-01,1",
        "a,2026-01-01,1",
        "b,2026-01-01,2",
        "b,2026-01-01,3",
        "c,2026-01-01,4",
    ]
    table = read(tmp_path, "\n".join(["card_id,date,price", *rows]))
    assert found(table) == [("a", "2026-01-01", 1.0), ("c", "2026-01-01", 4.0)]
    assert table.repeated == 1
    assert table.rejected["card_id"].to_pylist() == ["b", "b"]


@pytest.mark.parametrize("column", ["card_id", "date", "price"])
def test_infinite_and_half_precision_numbers(tmp_path: Path, column: str) -> None:
    path = tmp_path / "p.parquet"
    columns = {
        "card_id": pa.array([7.0]),
        "date": pa.array(["2026-09-13"]),
        "price": pa.array([1.5]),
    }
    for values in (pa.array([float("inf")]), pa.array([2.5]).cast(pa.float16())):
        pq.write_table(pa.table(columns | {column: values}), path)
        rows = table_of(path).prices.to_pylist()
        assert [row["market_price"] for row in rows] in ([], [1.5], [2.5])


def test_damaged_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    table = pa.table({"card_id": ["a"], "date": ["2026-09-13"], "price": [1.5]})
    pq.write_table(table, path)
    whole = path.read_bytes()
    for damaged in (whole[:-20], whole[:30], whole[:30] + bytes(20) + whole[50:]):
        path.write_bytes(damaged)
        with pytest.raises(TableError, match="the file cannot be read as Parquet"):
            table_of(path)


@pytest.mark.parametrize(
    "row", ['="a-1","=""2026-09-13""","=""12.50"""', "'a-1,'2026-09-13,'12.50"]
)
def test_cells_kept_as_text_from_a_spreadsheet(tmp_path: Path, row: str) -> None:
    assert found(read(tmp_path, f"card_id,date,price\n{row}\n")) == A_12


def test_prices_of_a_parquet_column_a_day_are_numbers_and_nan_is_no_price(tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    days = {"2026-09-13": [1.234, math.nan], "2026-09-14": [None, 3.456]}
    pq.write_table(pa.table({"card_id": ["a-1", "b-1"], **days}), path)
    table = table_of(path)
    assert found(table) == [("a-1", "2026-09-13", 1.234), ("b-1", "2026-09-14", 3.456)]
    assert table.left_out == ()


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("card_id", pa.array(["a-1"], pa.string_view())),
        ("market_price", pa.array([12.34], pa.float32())),
        ("market_price", pa.array([Decimal("12.340")])),
        ("market_price", pa.array([12.34], pa.float32()).dictionary_encode()),
        ("date", pa.array([1_789_257_600_000_000_000])),
        ("number", pa.array([Decimal("4.000")])),
    ],
    ids=["view", "single", "decimal", "dictionary", "nanoseconds", "whole decimal"],
)
def test_a_column_of_any_type_that_holds_the_value(
    tmp_path: Path, name: str, cells: pa.Array
) -> None:
    path = tmp_path / "prices.parquet"
    row = {"card_id": ["a-1"], "date": [date(2026, 9, 13)], "market_price": [12.34]}
    pq.write_table(pa.table(row | {"number": ["4"]} | {name: cells}), path)
    table = table_of(path)
    assert found(table) == [("a-1", "2026-09-13", 12.34)]
    assert table.cards["number"].to_pylist() == ["4"]


@pytest.mark.parametrize("cell", ["3", "3.0", "3,0"])
def test_a_number_of_sales_need_not_have_the_decimal_mark_of_the_prices(
    tmp_path: Path, cell: str
) -> None:
    table = read(tmp_path, f"card_id;date;price;volume\na-1;2026-09-13;12,50;{cell}\n")
    assert found(table) == A_12
    assert table.prices["volume"].to_pylist() == [3]


@pytest.mark.parametrize("cell", ["3.5", "3.000,5", "1.2.3"])
def test_a_number_of_sales_is_whole(tmp_path: Path, cell: str) -> None:
    table = read(tmp_path, f"card_id;date;price;volume\na-1;2026-09-13;12,50;{cell}\n")
    assert found(table) == A_12
    assert table.prices["volume"].to_pylist() == [None]
    assert [note for note in table.notes if note.startswith("volume is not a")]


def test_values_that_are_left_empty_are_counted(tmp_path: Path) -> None:
    rows = "a-1,2026-09-13,12.5,0,-1,1.5\nb-1,2026-09-13,3,0,2,-1\nc-1,2026-09-13,3,,,\n"
    table = read(tmp_path, f"card_id,date,price,low,avg7,stale_days\n{rows}")
    assert len(found(table)) == 3
    assert table.notes == (
        "low_price is not above 0: left empty in 2 rows (first in line 2: '0')",
        "avg7_price is not above 0: left empty in 1 row (first in line 2: '-1')",
        "stale_days is not a whole number of days: left empty in 2 rows (first in line 2: '1.5')",
    )
    assert set(table.notes) <= set(summary(table))


def test_decimals_have_the_value_that_they_are_written_as(tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    cents = range(1, 2_000)
    prices = pa.array([Decimal(each) / 100 for each in cents], pa.decimal128(12, 2))
    ids = [f"a-{each}" for each in cents]
    days = [date(2026, 9, 13)] * len(cents)
    pq.write_table(pa.table({"card_id": ids, "date": days, "market_price": prices}), path)
    read_back = {card: price for card, _, price in found(table_of(path))}
    assert read_back == {f"a-{each}": each / 100 for each in cents}


def test_a_note_in_a_column_without_a_name_costs_no_row(tmp_path: Path) -> None:
    lines = "card_id,date,price,,\na-1,2026-09-13,12.5,a note,\nb,2026-09-13,3,,x,y\n"
    table = read(tmp_path, lines)
    assert found(table) == A_12
    assert [each.reason for each in table.left_out] == ["the line has 6 cells, not 3"]
