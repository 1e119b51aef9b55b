"""Errors, formulas that nobody has computed, and merged cells of workbooks."""

import zipfile
from datetime import UTC, datetime
from io import BytesIO

import pytest

from pokewatch.market.tabular.column_names import KNOWN
from pokewatch.market.tabular.options import TableOptions
from pokewatch.market.tabular.price_table import read_price_table
from pokewatch.market.tabular.sheet import Sheet
from pokewatch.market.tabular.unvalued_cells import unvalued_cells
from pokewatch.market.tabular.workbook import read_workbook
from tests.market.tabular.workbook import Cell, ods_bytes, write_workbook

HEADER: list[Cell] = ["name", "set", "count"]


def workbook(rows: str, after: str = "", header: list[Cell] = HEADER) -> bytes:
    """A workbook of a header and `rows`, as in the XML of its second sheet."""
    source, target = BytesIO(), BytesIO()
    write_workbook(source, {"Notes": [["nothing"]], "Cards": [header]})
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(target, "w") as copy:
        for name in whole.namelist():
            content = whole.read(name)
            if name.endswith("s2.xml"):
                end = f"{rows}</sheetData>{after}".encode()
                content = content.replace(b"</sheetData>", end)
            copy.writestr(name, content)
    return target.getvalue()


def text(name: str, value: str) -> str:
    return f'<c r="{name}" t="inlineStr"><is><t>{value}</t></is></c>'


def cells_of(sheet: Sheet) -> list[tuple[str | None, ...]]:
    columns = [[None if cell is None else str(cell) for cell in c.to_pylist()] for c in sheet.cells]
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ('<c r="C2" t="e"><v>#REF!</v></c>', "#REF!"),
        ('<c r="C2" t="e"><f>VLOOKUP(A2,X1:Z9,2)</f><v>#N/A</v></c>', "#N/A"),
        ('<c r="C2"><f>1+1</f></c>', "a formula without a value: =1+1"),
        ('<c r="C2"><f>IF(A2&gt;1,2,3)</f><v/></c>', "a formula without a value: =IF(A2>1,2,3)"),
        ('<c r="C2"><f t="shared" si="0"/><v></v></c>', "a formula without a value: ="),
        (
            '<c r="C2" s="1"><f t="array" ref="C2">SUM(A1)</f><v /></c>',
            "a formula without a value: =SUM(A1)",
        ),
        ('<c r="C2"><f>1+1</f><v>2</v></c>', "2.0"),
        ('<c r="C2"><f>A1</f><v xml:space="preserve">2</v></c>', "2.0"),
        ('<c r="C2" t="str"><f>IF(1,"")</f><v></v></c>', None),
        ('<c r="C2"/>', None),
        ('<c t="e"><v>#REF!</v></c>', None),  # a cell without a name
    ],
)
def test_a_cell_without_a_value_says_why(cell: str, shown: str | None) -> None:
    row = f'<row r="2">{text("A2", "Mew")}{text("B2", "Base")}{cell}</row>'
    assert cells_of(read_workbook(workbook(row), KNOWN)) == [("Mew", "Base", shown)]


ODS_ERROR = (
    '<table:table-cell table:formula="of:=1/0" office:value-type="string" office:string-value="" '
    'calcext:value-type="error"><text:p>{}</text:p></table:table-cell>'
)
ODS_ZERO = (
    '<table:table-cell table:formula="of:=1/0" office:value-type="float" office:value="0">'
    "<text:p>{}</text:p></table:table-cell>"
)
ODS_TEXT = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'


@pytest.mark.parametrize("cell", [ODS_ERROR, ODS_ZERO], ids=["empty text", "zero"])
@pytest.mark.parametrize("error", ["#DIV/0!", "#NAME?", "#N/A", "Err:508"])
def test_an_error_of_an_opendocument_sheet_is_named(cell: str, error: str) -> None:
    rows = [list(map(ODS_TEXT.format, ("name", "set", "count")))]
    rows += [[ODS_TEXT.format("Mew"), ODS_TEXT.format("Base"), cell.format(error)]]
    xml = "".join(f"<table:table-row>{''.join(row)}</table:table-row>" for row in rows)
    assert cells_of(read_workbook(ods_bytes(xml), KNOWN)) == [("Mew", "Base", error)]


def test_a_sheet_without_such_cells_and_a_number_of_no_sheet() -> None:
    data = workbook("")
    assert [list(unvalued_cells(data, number)) for number in (0, 1, 2)] == [[], [], []]


def merged(*ranges: str) -> str:
    return "".join(
        ["<mergeCells>", *(f'<mergeCell ref="{at}"/>' for at in ranges), "</mergeCells>"]
    )


def test_a_text_that_is_merged_over_rows_is_that_of_each() -> None:
    rows = f'<row r="2">{text("A2", "Mew")}{text("B2", "Base")}<c r="C2"><v>3</v></c></row>'
    rows += f'<row r="3">{text("A3", "Abra")}</row><row r="4">{text("A4", "Gastly")}</row>'
    sheet = read_workbook(workbook(rows, merged("B2:B4", "C2:C3", "F1:F3", "H7:H9")), KNOWN)
    assert cells_of(sheet) == [
        ("Mew", "Base", "3"),
        ("Abra", "Base", "merged with the cell above"),
        ("Gastly", "Base", None),
    ]


def test_a_header_of_two_rows_is_the_lower_one() -> None:
    header: list[Cell] = ["name", "set", "count", "prices", None]
    rows = f'<row r="2">{text("D2", "market")}{text("E2", "low")}</row>'
    rows += f'<row r="3">{text("A3", "Mew")}{text("B3", "Base")}{text("C3", "1")}</row>'
    ranges = merged("A1:A2", "B1:B2", "C1:C2", "D1:E1")
    sheet = read_workbook(workbook(rows, ranges, header), KNOWN)
    assert sheet.names == ("name", "set", "count", "market", "low")
    assert [(each.line, each.reason) for each in sheet.skipped] == [(1, "stands before the header")]
    assert [row[0] for row in cells_of(sheet)] == ["Mew"]


def test_a_row_that_is_merged_into_the_one_above_is_no_row() -> None:
    rows = f'<row r="2">{text("A2", "Mew")}{text("B2", "Base")}{text("C2", "1")}</row>'
    rows += f'<row r="3"/><row r="4">{text("A4", "Abra")}</row>'
    sheet = read_workbook(workbook(rows, merged("A2:A3", "B2:B3", "C2:C3")), KNOWN)
    assert cells_of(sheet) == [("Mew", "Base", "1"), ("Abra", None, None)]


@pytest.mark.parametrize(
    ("upper", "lower", "names"),
    [
        (["name", "date", "price"], ["USD"], ("name", "date", "price")),
        (["name", "date", "price", None], ["market", "low"], ("name", "date", "market", "low")),
    ],
)
def test_names_that_are_merged_over_two_rows_are_one_header(
    upper: list[Cell], lower: list[str], names: tuple[str, ...]
) -> None:
    below = "".join(text(f"{column}2", each) for column, each in zip("CD", lower, strict=False))
    cells = ("Mew", "2026-09-13", "1", "2")[: len(names)]
    row = "".join(text(f"{column}3", each) for column, each in zip("ABCD", cells, strict=False))
    rows = f'<row r="2">{below}</row><row r="3">{row}</row>'
    sheet = read_workbook(workbook(rows, merged("A1:A2", "B1:B2"), upper), KNOWN)
    assert sheet.names == names
    assert cells_of(sheet) == [cells]
    assert len(sheet.skipped) == 1


def test_a_cell_without_a_value_is_no_name() -> None:
    header: list[Cell] = ["card_id", "date", "market_price"]
    day, price = text("B2", "2026-09-13"), '<c r="C2"><v>3</v></c>'
    rows = f'<row r="2"><c r="A2"><v>151</v></c>{day}{price}</row>'
    rows += f'<row r="3">{day}{price}</row>'.replace('2"', '3"')
    rows += f'<row r="4"><c r="A4"><f>D4</f></c>{day}{price}</row>'.replace('2"', '4"')
    sheet = read_workbook(workbook(rows, merged("A2:A3"), header), KNOWN)
    now = datetime(2026, 11, 25, tzinfo=UTC)
    table = read_price_table(sheet, TableOptions(), "file", now.date(), now)
    assert [row["card_id"] for row in table.prices.to_pylist()] == ["151"]
    assert [str(each) for each in table.left_out] == [
        "2 rows left out: card_id is missing (first in line 3: 'merged with the cell above')"
    ]
