import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pokewatch.market.sources import NO_PRICE
from pokewatch.market.tabular.options import TableOptions
from pokewatch.market.tabular.price_table import PriceTable, read_price_table
from pokewatch.market.tabular.reading import read_sheet
from pokewatch.market.tabular.sheet import TableError
from pokewatch.market.tabular.summary import summary
from tests.market.tabular.workbook import Cell, write_workbook

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
Found = list[tuple[str, str, float | None]]


def table_of(path: Path, **options: Any) -> PriceTable:
    given = TableOptions(**options)
    return read_price_table(read_sheet(path), given, "file", NOW.date(), NOW)


def read(tmp_path: Path, content: str | bytes, **options: Any) -> PriceTable:
    path = tmp_path / "prices.any"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return table_of(path, **options)


def found(table: PriceTable) -> Found:
    return [
        (row["card_id"], row["date"].isoformat(), row["market_price"])
        for row in table.prices.to_pylist()
    ]


A_12 = [("a-1", "2026-09-13", 12.5)]


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
        '"card_id", "date", "price"\n"a-1", "2026-09-13", "12.5"\n',
        "| card_id | date | price |\n|---|---|---|\n| a-1 | 2026-09-13 | 12.5 |\n",
        "card_id,2026-09-13,2026-09-14,Total\na-1,12.5,,12.5\nTotal,12.5,,12.5\n",
    ],
)
def test_the_same_price_in_any_form(tmp_path: Path, content: str | bytes) -> None:
    assert found(read(tmp_path, content)) == A_12


@pytest.mark.parametrize(
    "content",
    [
        '"card_id,date,price"\n"a-1,2026-09-13,12.5"\n',
        '"card_id,date,price"\r\n\r\n"a-1,""2026-09-13"",""12.5"""\r\n',
        '"card_id;date;price"\n"a-1;13.09.2026;12,50"\n',
        '\ufeff"card_id,date,price"\na-1\n"a-1,2026-09-13,12.5"\n',
    ],
)
def test_lines_that_are_quoted_as_a_whole(tmp_path: Path, content: str) -> None:
    assert found(read(tmp_path, content)) == A_12


def test_a_line_that_is_quoted_as_a_whole_is_named_by_its_place(tmp_path: Path) -> None:
    table = read(tmp_path, '"card_id,date,price"\n"a-1,2026-09-13,12.5"\n\n"b,soon,""1,5"""\n')
    assert found(table) == A_12
    assert "(first in line 4: 'soon')" in str(table.left_out[0])


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


@pytest.mark.parametrize("hours", [-10, 0, 2, 13])
def test_a_stamp_with_a_zone_is_its_utc_day(tmp_path: Path, hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    stamp = datetime(2026, 9, 13, 0, 30, tzinfo=UTC).astimezone(zone)
    path = tmp_path / "prices.parquet"
    kind = pa.timestamp("us", tz=f"{hours:+03d}:00")
    stamps = pa.array([int(stamp.timestamp()) * 1_000_000]).cast(kind)
    table = pa.table({"card_id": ["a-1"], "date": stamps, "market_price": [12.5]})
    pq.write_table(table, path)
    text = read(tmp_path, f"card_id,date,market_price\na-1,{stamp.isoformat()},12.5\n")
    assert found(table_of(path)) == found(text) == A_12


@pytest.mark.parametrize(
    "cell",
    [
        "13. 9. 2026",
        "2026. 09. 13.",
        "2026\u201309\u201313",
        "13/Sep/2026",
        "2026-Sep-13",
        "13Sep2026",
        "13 сентября 2026",
        "13.9.2026, 10:00 Uhr",
        "13.09.2026 um 10:00 Uhr",
        "September 13, 2026 at 10:00\u202fPM",
        "13/09/2026 22h05",
        "13/9/2026 11:30:00 p.\u00a0m.",
        "20260913T233000Z",
        "20260914T0030+0200",
        "2026-09-12 23:30 EST",
        "2026-09-14 00:30 CEST",
        "2026-09-14T00:30+02:00[Europe/Berlin]",
        "2026-09-14 00:30 UTC+2",
        "2026-09-14 00:30 UTC+530",
        "2026-09-14 00:30 UTC+5:30",
        "Mon Sep 14 2026 00:30:00 GMT+0200 (Central European Summer Time)",
        "Sun Sep 13 23:30:00 2026",
        "Sat Sep 12 23:30:00 PDT 2026",
    ],
)
def test_a_day_or_time_as_programs_write_it(tmp_path: Path, cell: str) -> None:
    assert found(read(tmp_path, f'card_id,date,price\na-1,"{cell}",12.5\n')) == A_12


@pytest.mark.parametrize("cell", ["2026-09-13 10:00 BST", "13 listopada 2026", "2026-09-13T24:00"])
def test_a_day_that_has_several_meanings_is_left_out(tmp_path: Path, cell: str) -> None:
    table = read(tmp_path, f"card_id,date,price\na-1,2026-09-13,12.5\nb,{cell},1\n")
    assert found(table) == A_12
    assert str(table.left_out[0]).endswith(
        f"date is not a day like 2025-10-22 (first in line 3: {cell!r})"
    )


def test_a_line_break_in_quotes_far_into_a_file(tmp_path: Path) -> None:
    lines = [f'a-{number},"Card\n{number}",2026-09-13,{number}.5' for number in range(1, 60_001)]
    table = read(tmp_path, "\n".join(["card_id,name,date,market_price", *lines]))
    assert table.prices.num_rows == table.cards.num_rows == 60_000
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
        ("a-1,2026-09-13", "the line has 2 cells, not 3", "'a-1, 2026-09-13'"),
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


def test_ids_of_names_do_not_collide(tmp_path: Path) -> None:
    names = [
        "Nidoran ♀",
        "Nidoran ♂",
        "リザードン",
        "ピカチュウ",
        "Poké Ball",
        "Poke-Ball!",
        "base1-4",
    ]
    rows = [f'"{name}",2026-01-01,{at}' for at, name in enumerate(names, start=1)]
    table = read(tmp_path, "\n".join(["card,date,price", *rows]))
    ids = table.prices["card_id"].to_pylist()
    assert len(set(ids)) == len(names) - 1  # the two ball names are one id: the second is left out
    assert {"nidoran-f", "nidoran-m", "poke-ball", "base1-4"} <= set(ids)
    assert [each.reason for each in table.left_out] == ["card_id becomes that of another card"]


@pytest.mark.parametrize(
    ("header", "one", "other"),
    [
        ("card", "Flab\u00e9b\u00e9", "Flabe\u0301be\u0301"),
        ("name", "Flab\u00e9b\u00e9", "Flabe\u0301be\u0301"),
        ("product_id", "246723", "0246723"),
        ("product_id", "246723", "246723.0"),
        ("card_id", "246723", "246723.0"),
    ],
)
def test_one_card_in_two_spellings_has_one_history(
    tmp_path: Path, header: str, one: str, other: str
) -> None:
    table = read(tmp_path, f"{header},date,price\n{one},2026-09-13,12.5\n{other},2026-09-14,13\n")
    assert table.left_out == ()
    assert table.prices["market_price"].to_pylist() == [12.5, 13.0]
    assert table.cards.num_rows == 1


def test_ids_that_are_decimals_are_kept(tmp_path: Path) -> None:
    table = read(tmp_path, "card_id,date,price\n1.0,2026-09-13,12.5\n1.5,2026-09-13,13\n")
    assert table.prices["card_id"].to_pylist() == ["1-0", "1-5"]


@pytest.mark.parametrize("cell", ["#N/A", "#REF!", "N/A", "null", "nan", "-"])
@pytest.mark.parametrize("header", ["card_id", "name", "product_id"])
def test_a_word_for_nothing_is_no_card(tmp_path: Path, header: str, cell: str) -> None:
    content = f"{header},date,price\n7,2026-09-13,12.5\n{cell},2026-09-13,1\n{cell},2026-09-13,2\n"
    table = read(tmp_path, content)
    assert table.prices["market_price"].to_pylist() == [12.5]
    assert str(table.left_out[0]).endswith(f"card_id is missing (first in line 3: {cell!r})")


def test_long_numbers_that_a_spreadsheet_has_shortened_are_not_one_card(tmp_path: Path) -> None:
    rows = "1.23457E+11,2026-09-13,12.5\n1.23457E+11,2026-09-14,3\n"
    table = read(tmp_path, f"card_id,date,price\na-1,2026-09-13,1\n{rows}")
    assert table.prices["card_id"].to_pylist() == ["a-1"]
    assert str(table.left_out[0]) == (
        "2 rows left out: card_id is a number that a spreadsheet has shortened "
        "(first in line 3: '1.23457E+11')"
    )


def test_ids_that_a_workbook_does_not_hold_exactly_are_not_one_card(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [[each, date(2026, 9, 13), 12.5] for each in (7, 2**53 + 1, 2**53 + 2)]
    write_workbook(tmp_path / "p.xlsx", {"A": [["card_id", "date", "price"], *rows]})
    table = table_of(tmp_path / "p.xlsx")
    assert found(table) == [("7", "2026-09-13", 12.5)]
    assert [(each.rows, each.reason) for each in table.left_out] == [
        (2, "card_id is a number that a spreadsheet has shortened")
    ]


def test_a_currency_comes_from_cells_header_or_column(tmp_path: Path) -> None:
    rows = ["a,2026-01-01,$1.50,", "b,2026-01-01,2.50,EUR", "c,2026-01-01,€3.50,USD"]
    content = "\n".join(["card_id,date,price,currency", *rows])
    table = read(tmp_path, content, currency="USD")
    assert table.prices["currency"].to_pylist() == ["USD", "EUR"]
    assert [each.reason for each in table.left_out] == [
        "the price carries another currency than its currency column"
    ]


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


def test_a_day_of_the_export_beside_a_column_a_day(tmp_path: Path) -> None:
    content = "card,snapshot_date,2026-09-12,2026-09-13\na-1,2026-09-14,5,6\n"
    assert read(tmp_path, content).prices["market_price"].to_pylist() == [5, 6]


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


@pytest.mark.parametrize("product", ["Total", "246723x", "-5", "2.5", "0", "2.46723E+05"])
def test_a_product_id_is_a_number(tmp_path: Path, product: str) -> None:
    table = read(
        tmp_path, f"product_id,date,price\n246723,2026-09-13,12.5\n{product},2026-09-13,1\n"
    )
    assert table.prices["card_id"].to_pylist() == ["tcgplayer-246723"]
    assert str(table.left_out[0]) == (
        f"1 row left out: product_id is not the number of a product (first in line 3: {product!r})"
    )


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("price", pa.array([[1.5]])),
        ("price", pa.array([1], pa.duration("s"))),
        ("date", pa.array([1], pa.time32("s"))),
        ("card_id", pa.array([b"\xff"])),
        ("card_id", pa.array([{"a": 1}])),
    ],
)
def test_columns_of_no_single_values_are_named(
    tmp_path: Path, column: str, values: pa.Array
) -> None:
    path = tmp_path / "p.parquet"
    columns = {
        "card_id": pa.array(["a"]),
        "date": pa.array(["2026-09-13"]),
        "price": pa.array([1.0]),
    }
    pq.write_table(pa.table(columns | {column: values}), path)
    with pytest.raises(TableError, match=f"the column '{column}' holds .*; store it as text"):
        table_of(path)


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


def test_two_columns_of_one_name_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    columns = [pa.array(["a"]), pa.array(["2026-09-13"]), pa.array([1.0]), pa.array([2.0])]
    pq.write_table(pa.table(columns, names=["card_id", "date", "price", "price"]), path)
    with pytest.raises(TableError, match="two columns are called 'price'"):
        table_of(path)


def test_cells_without_a_currency_have_that_of_the_others(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        "card_id,date,price,low\na,2026-01-01,€1.50,\nb,2026-01-01,2.50,\nc,2026-01-01,,\n"
        "d,2026-01-01,N/A,\n",
    )
    assert table.prices["currency"].to_pylist() == ["EUR"] * 3
    assert table.notes == ("1 row without a currency read as EUR, that of the others",)
    mixed = read(
        tmp_path, "card_id,date,price\na,2026-01-01,€1.50\nb,2026-01-01,$1\nc,2026-01-01,3\n"
    )
    assert mixed.prices["currency"].to_pylist() == ["EUR", "USD", "USD"]
    assert mixed.notes == ()  # the currency of the options, which the report names


@pytest.mark.parametrize(
    "header",
    [
        "カード名,日付,価格",
        "Kaart,Datum,Prijs",
        "Karta,Data,Cena",
        "Carta,Data,Preço",
        "Nom de la carte,Jour,Prix",
        "Artikel,Datum,Preistrend",
        "product-name,date,loose-price",
        "Kort,Dato,Pris",
        "Kortti,P\u00e4iv\u00e4,Hinta",
        "Kortti,Pa\u0308iva\u0308,Hinta",
        "Карта,Дата,Цена",
        "Carte,Date,Prix du marché",
        "卡片,日期,价格",
        "Card Title,Snapshot Date,Current Price",
        "Item,As of Date,Market Value (USD)",
    ],
)
def test_columns_have_their_usual_names_in_many_languages(tmp_path: Path, header: str) -> None:
    assert found(read(tmp_path, f"{header}\na-1,2026-09-13,12.5\n")) == A_12


@pytest.mark.parametrize(
    ("header", "market"), [("product_id", "tcgplayer"), ("idProduct", "cardmarket")]
)
def test_whole_numbers_that_are_stored_as_decimals_are_whole(
    tmp_path: Path, header: str, market: str
) -> None:
    rows = "246723.0,58.0,2026-09-13,12.5\n246724.0,4/102,2026-09-13,3\n"
    table = read(tmp_path, f"{header},number,date,price\n{rows}")
    assert table.left_out == ()
    ids = [json.loads(each)[market] for each in table.cards["source_ids"].to_pylist()]
    assert ids == ["246723", "246724"]
    assert table.cards["number"].to_pylist() == ["58", "4/102"]
    assert all("246723.0" not in each for each in table.cards["card_id"].to_pylist())


@pytest.mark.parametrize("cell", ["", "N/A", "none", "-", "NA"])
def test_a_card_without_number_and_printing_is_one_card_however_it_says_so(
    tmp_path: Path, cell: str
) -> None:
    content = f"name,set,number,printing,date,price\nBooster,Base,{cell},{cell},2026-09-13,12.5\n"
    table = read(tmp_path, content)
    assert found(table) == [("booster-base", "2026-09-13", 12.5)]
    (card,) = table.cards.to_pylist()
    assert (card["number"], card["printing"], card["slug"]) == (None, None, "booster")
    product = read(tmp_path, f"product_id,printing,date,price\n7,{cell},2026-09-13,12.5\n")
    assert found(product) == [("tcgplayer-7", "2026-09-13", 12.5)]


def test_prices_of_cardmarket_are_in_its_currency(tmp_path: Path) -> None:
    table = read(
        tmp_path, 'idProduct,Low Price,Trend Price,AVG7,Date\n"7","9.5","10.2","",2026-09-13\n'
    )
    (row,) = table.prices.to_pylist()
    assert (row["card_id"], row["market_price"], row["low_price"]) == ("7", 10.2, 9.5)
    assert (row["currency"], table.assumed_currency) == ("EUR", "")
    assert json.loads(table.cards["source_ids"][0].as_py()) == {"file": "7", "cardmarket": "7"}


def test_a_price_that_is_named_after_cardmarket_is_in_its_currency(tmp_path: Path) -> None:
    table = read(tmp_path, "card_id,date,Cardmarket Trend\na-1,2026-09-13,12.5\n")
    assert (table.prices["currency"].to_pylist(), table.assumed_currency) == (["EUR"], "")


@pytest.mark.parametrize(
    ("content", "assumed"),
    [
        ("card;date;price\na;2026-09-13;12,50\n", "USD"),
        ("card;date;price\na;2026-09-13;12,50 €\nb;2026-09-13;12,50\n", ""),
        ("card;date;price (EUR)\na;2026-09-13;12,50\n", ""),
        ("card;date;price;currency\na;2026-09-13;12,50;EUR\n", ""),
        ("card;date;price;currency\na;2026-09-13;12,50;EUR\nb;2026-09-13;12,50;\n", "USD"),
    ],
    ids=["nowhere", "in a cell", "in the header", "in a column", "not in every row"],
)
def test_a_currency_that_no_cell_names_is_assumed(
    tmp_path: Path, content: str, assumed: str
) -> None:
    table = read(tmp_path, content)
    assert table.assumed_currency == assumed
    said = "(USD where none is named: POKEWATCH_FILE_CURRENCY)"
    assert any(said in line for line in summary(table)) == bool(assumed)


@pytest.mark.parametrize(
    "row", ['="a-1","=""2026-09-13""","=""12.50"""', "'a-1,'2026-09-13,'12.50"]
)
def test_cells_kept_as_text_from_a_spreadsheet(tmp_path: Path, row: str) -> None:
    assert found(read(tmp_path, f"card_id,date,price\n{row}\n")) == A_12


@pytest.mark.parametrize(
    "total", ["Total (3 cards)", "TOTAL 2026-09-13", "Total value:", "Summe 3 Karten", "∑ Total"]
)
def test_a_total_with_a_day_is_no_card(tmp_path: Path, total: str) -> None:
    content = f"card,date,price\na-1,2026-09-13,12.5\n{total},2026-09-13,12.5\n"
    table = read(tmp_path, content)
    assert found(table) == A_12
    assert [each.reason for each in table.left_out] == ["the row is a total, not a card"]


def test_a_card_whose_name_begins_like_a_total_is_one(tmp_path: Path) -> None:
    content = "card,date,price\nTotal Command,2026-09-13,12.5\nMean Look,2026-09-13,2\n"
    assert len(found(read(tmp_path, content))) == 2


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


@pytest.mark.parametrize(
    "name", ["market_price", "price", "Price (€)", "price_cents", "low", "avg30", "volume"]
)
@pytest.mark.parametrize("first", [True, False])
def test_a_price_beside_columns_of_days_is_not_that_of_the_days(
    tmp_path: Path, name: str, first: bool
) -> None:
    order = ("{other},{days}" if first else "{days},{other}").format
    header = order(other=name, days="2026-09-12,2026-09-13")
    table = read(tmp_path, f"card_id,{header}\na-1,{order(other='9', days='8.5,12.5')}\n")
    assert found(table) == [("a-1", "2026-09-12", 8.5), *A_12]
    assert table.prices["currency"].to_pylist() == ["USD", "USD"]
    for unknown in ("low_price", "avg30_price", "volume"):
        assert table.prices[unknown].null_count == 2
    assert table.notes == (f"not used beside columns of days: '{name}'",)
