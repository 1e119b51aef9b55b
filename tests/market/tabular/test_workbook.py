"""Workbooks as spreadsheet programs and people leave them."""

import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import pytest

from pokewatch.market.tabular.column_names import KNOWN
from pokewatch.market.tabular.options import TableOptions
from pokewatch.market.tabular.price_table import PriceTable, read_price_table
from pokewatch.market.tabular.sheet import TableError
from pokewatch.market.tabular.workbook import read_workbook
from pokewatch.money import Decimal
from tests.market.tabular.workbook import Cell, ods_bytes, write_workbook

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = date(2026, 9, 13)
HEADER: list[Cell] = ["card_id", "date", "price"]
ROW: list[Cell] = ["a-1", DAY, 12.5]


def workbook(path: Path, sheets: dict[str, Sequence[Sequence[Cell]]]) -> bytes:
    write_workbook(path / "w.xlsx", sheets)
    return (path / "w.xlsx").read_bytes()


def table_of(data: bytes, decimal: Decimal | None = None) -> PriceTable:
    options = TableOptions(decimal=decimal)
    return read_price_table(read_workbook(data, KNOWN), options, "file", NOW.date(), NOW)


def found(table: PriceTable) -> list[tuple[str, str, float | None]]:
    return [
        (row["card_id"], row["date"].isoformat(), row["market_price"])
        for row in table.prices.to_pylist()
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [HEADER, ROW],
        [["Prices", None, None], [None, None, None], HEADER, ROW],
        [HEADER, [None, None, None], ROW, [None, None, None]],
        [[None, *HEADER], [None, *ROW]],
        [HEADER, ROW, HEADER],
        [HEADER, ROW, ["set", "count", "value"], ["Base", "2026-09-13", 7]],
        [HEADER, ROW, ["Total", DAY, 99]],
        [HEADER, ["a-1", "13.9.2026", "$12.50"]],
        [HEADER, ["a-1", 46278, 12.5]],
        [["card_id", DAY, date(2026, 9, 14)], ["a-1", 12.5, None]],
        [["card_id", 46278, 46279], ["a-1", 12.5, None], ["Total", 12.5, None]],
        [[*HEADER, None], [*ROW, "a note to myself"]],
    ],
)
def test_the_same_price_in_any_sheet(tmp_path: Path, rows: list[list[Cell]]) -> None:
    assert found(table_of(workbook(tmp_path, {"Prices": rows}))) == [("a-1", "2026-09-13", 12.5)]


def test_sheets_that_are_not_read_are_named(tmp_path: Path) -> None:
    table = table_of(workbook(tmp_path, {"A": [HEADER, ROW], "B": [HEADER, ROW], "C": [["x"]]}))
    assert table.notes == (
        "sheets that are not read: 'B', 'C'; to read the cards in 'B', save each as a file",
    )


def test_a_sheet_that_names_no_card_is_not_read_before_one_that_does(tmp_path: Path) -> None:
    sums: list[list[Cell]] = [["set", "date", "price"], ["Base", DAY, 99]]
    table = table_of(workbook(tmp_path, {"Sums": sums, "Prices": [HEADER, ROW]}))
    assert found(table) == [("a-1", "2026-09-13", 12.5)]
    assert table.notes == ("sheets that are not read: 'Sums'",)


def with_rows(path: Path, rows: str) -> bytes:
    """A workbook whose sheet ends in `rows` as a file may have them."""
    whole = zipfile.ZipFile(BytesIO(workbook(path, {"A": [HEADER, ROW]})))
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as copy:
        for name in whole.namelist():
            content = whole.read(name)
            if name.endswith("s1.xml"):
                content = content.replace(b"</sheetData>", f"{rows}</sheetData>".encode())
            copy.writestr(name, content)
    return target.getvalue()


def row(*cells: str) -> str:
    return f'<row r="3"><c t="inlineStr"><is><t>b</t></is></c>{"".join(cells)}</row>'


@pytest.mark.parametrize(
    ("cells", "price"),
    [
        (['<c s="1"><v>46278</v></c>', "<c><f>1+1</f><v>2</v></c>"], 2.0),
        (['<c s="1"><v>46278</v></c>', "<c><f>1+1</f></c>"], None),
        (['<c s="1"><v>46278</v></c>', '<c t="e"><v>#REF!</v></c>'], None),
        (['<c s="1"><v>46278.99</v></c>', "<c><v>3</v></c>"], 3.0),
        (['<c t="d"><v>2026-09-13T00:00:00</v></c>', "<c><v>3</v></c>"], 3.0),
    ],
    ids=["formula", "formula without a value", "error", "time of day", "ISO date"],
)
def test_cells_of_every_kind(tmp_path: Path, cells: list[str], price: float | None) -> None:
    data = with_rows(tmp_path, row(*cells))
    assert ("b", "2026-09-13", price) in found(table_of(data))


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (['<c s="1"><v>46278</v></c>', '<c t="b"><v>1</v></c>'], "market_price is not a number"),
        (['<c s="1"><v>99999999999</v></c>', "<c><v>3</v></c>"], "date is not a day like"),
    ],
)
def test_a_bad_cell_costs_its_row(tmp_path: Path, cells: list[str], reason: str) -> None:
    table = table_of(with_rows(tmp_path, row(*cells)))
    assert found(table) == [("a-1", "2026-09-13", 12.5)]
    assert str(table.left_out[0]).startswith(f"1 row left out: {reason}")


def test_a_cell_far_away_does_not_exhaust_the_memory(tmp_path: Path) -> None:
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    with pytest.raises(TableError, match="the sheet reaches to row 1,048,576 and column 16,384"):
        table_of(with_rows(tmp_path, far))
    styled = '<row r="1048576"><c r="XFD1048576" s="1"/></row>'
    assert len(found(table_of(with_rows(tmp_path, styled)))) == 1


def test_a_workbook_that_unpacks_to_gigabytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pokewatch.market.tabular.workbook._MOST_BYTES", 1000)
    with pytest.raises(TableError, match="bytes unpacked; 1,000 are read; save the sheet as CSV"):
        table_of(workbook(tmp_path, {"A": [HEADER, ROW]}))


def test_damaged_workbooks_are_refused(tmp_path: Path) -> None:
    whole = workbook(tmp_path, {"A": [HEADER, ROW]})
    for damaged in (whole[:-50], whole[: len(whole) // 2], with_rows(tmp_path, "<row><c>")):
        with pytest.raises(
            TableError, match=r"the workbook is damaged|cannot be read as a workbook"
        ):
            table_of(damaged)


@pytest.mark.parametrize(
    ("member", "fault"),
    [
        ("prices.csv", "the file is a zip archive; unpack it"),
        ("Index/Document.iwa", "the file is a document of Numbers; export it as CSV"),
    ],
)
def test_other_archives_are_refused(member: str, fault: str) -> None:
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(member, "card_id,date,price\n")
    with pytest.raises(TableError, match=fault):
        table_of(target.getvalue())


def ods_row(*cells: str, repeated: int = 1) -> str:
    return (
        f'<table:table-row table:number-rows-repeated="{repeated}">{"".join(cells)}'
        "</table:table-row>"
    )


def ods_text(text: str, repeated: int = 1) -> str:
    return (
        f'<table:table-cell table:number-columns-repeated="{repeated}" office:value-type="string">'
        f"<text:p>{text}</text:p></table:table-cell>"
    )


ODS_HEADER = ods_row(*map(ods_text, map(str, HEADER)))
ODS_PRICE = '<table:table-cell office:value-type="currency" office:value="12.5"/>'
ODS_DATE = '<table:table-cell office:value-type="date" office:date-value="2026-09-13"/>'
ODS_EMPTY = '<table:table-cell table:number-columns-repeated="16384"/>'


def test_an_opendocument_sheet_may_repeat_empty_rows_to_the_end(tmp_path: Path) -> None:
    rows = ODS_HEADER + ods_row(ods_text("a-1"), ODS_DATE, ODS_PRICE)
    rows += ods_row(ODS_EMPTY, repeated=1_048_574)
    assert found(table_of(ods_bytes(rows))) == [("a-1", "2026-09-13", 12.5)]


@pytest.mark.parametrize(
    "rows",
    [
        ods_row(ods_text("x", repeated=1000), repeated=1_000_000),
        ods_row(ods_text("x", repeated=30_000_000)),
        ods_row(ODS_EMPTY, repeated=40_000) + ods_row(ods_text("x", repeated=1000)),
    ],
    ids=["a repeated block", "a repeated cell", "a wide row far below"],
)
def test_repeated_cells_do_not_fill_the_memory(rows: str) -> None:
    with pytest.raises(TableError, match="the sheet reaches to row"):
        table_of(ods_bytes(ODS_HEADER + rows))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", ["<table:table-row>", "<table:table-cell ", "<table:table-row "])
def test_a_damaged_sheet_is_read_in_proportion_to_its_length(unit: str) -> None:
    data = BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("content.xml", unit * 60_000)
        archive.writestr("xl/worksheets/sheet1.xml", '<c r="A1" ' * 60_000)
    with pytest.raises(TableError):
        read_workbook(data.getvalue(), KNOWN)


def test_cells_typed_as_numbers_have_no_decimal_mark(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [
        [*HEADER, "low"],
        ["a-1", DAY, 1.234, "1.234,50"],
        ["b-1", DAY, "12,50", 12.5],
        ["c-1", DAY, "1.234", None],
    ]
    table = table_of(workbook(tmp_path, {"prices": rows}))
    assert table.prices["market_price"].to_pylist() == [1.234, 12.5, 1234.0]
    assert table.prices["low_price"].to_pylist() == [1234.5, 12.5, None]


@pytest.mark.parametrize("decimal", [None, "comma"])
def test_a_workbook_with_a_column_a_day_has_typed_prices(
    tmp_path: Path, decimal: Decimal | None
) -> None:
    rows: list[list[Cell]] = [
        ["card_id", DAY, date(2026, 9, 14)],
        ["a-1", 1.234, 2.345],
        ["b-1", None, 3.456],
    ]
    table = table_of(workbook(tmp_path, {"prices": rows}), decimal)
    assert table.prices["market_price"].to_pylist() == [1.234, 2.345, 3.456]


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_a_sheet_that_is_hidden_is_read_where_no_other_has_the_columns(
    tmp_path: Path, state: str
) -> None:
    old: list[Cell] = ["a-1", date(2026, 9, 13), 99.0]
    table = table_of(with_hidden(tmp_path, {"Old": [HEADER, old], "New": [HEADER, ROW]}, state))
    assert found(table) == [("a-1", "2026-09-13", 12.5)]
    assert table.notes == (
        "sheets that are not read: 'Old'; to read the cards in 'Old', save each as a file",
    )
    alone = table_of(with_hidden(tmp_path, {"Old": [HEADER, old], "New": [["x"]]}, state))
    assert found(alone) == [("a-1", "2026-09-13", 99.0)]


def with_hidden(path: Path, sheets: dict[str, Sequence[Sequence[Cell]]], state: str) -> bytes:
    """A workbook whose first sheet is hidden."""
    target, shown = BytesIO(), b'<sheet name="Old"'
    with (
        zipfile.ZipFile(BytesIO(workbook(path, sheets))) as whole,
        zipfile.ZipFile(target, "w") as copy,
    ):
        for name in whole.namelist():
            hidden = shown + f' state="{state}"'.encode()
            copy.writestr(name, whole.read(name).replace(shown, hidden))
    return target.getvalue()
