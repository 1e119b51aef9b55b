"""Prices of workbooks whose currency is in the number format of their cells."""

import zipfile
from io import BytesIO
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from pokewatch.market.tabular.cell_currencies import cell_currencies, format_currency
from tests.market.tabular.tables import found, read
from tests.market.tabular.workbook import Cell, ods_bytes, write_workbook

EURO = '#,##0.00\\ "€"'
HEADER: list[Cell] = ["card_id", "date", "market_price"]


@pytest.mark.parametrize(
    ("code", "currency"),
    [
        (EURO, "EUR"),
        ("#,##0.00\\ [$€-407]", "EUR"),
        ("[$EUR] #,##0.00", "EUR"),
        ("#,##0.00\\ €;[Red]\\-#,##0.00\\ €", "EUR"),
        ('_-* #,##0.00\\ "€"_-;\\-* #,##0.00\\ "€"_-;_-* "-"??\\ "€"_-', "EUR"),
        ('"$"#,##0.00', "USD"),
        ("\\$#,##0.00", "USD"),
        ("$#,##0.00", "USD"),
        ("[$$-409]#,##0.00", "USD"),
        ("[$$-1009]#,##0.00", "CAD"),
        ("[$$-en-US]#,##0.00", "USD"),
        ("[$£-809]#,##0.00", "GBP"),
        ("[$¥-411]#,##0", "JPY"),
        ('0.00" zł"', "PLN"),
        ('[>=1000]#,##0" €";0.00" $"', ""),
        ("[$-407]d. mmmm yyyy", ""),
        ('0.00" each"', ""),
        ("0.00%", ""),
        ("General", ""),
        ("", ""),
    ],
)
def test_the_currency_of_a_number_format(code: str, currency: str) -> None:
    assert format_currency(code) == currency


def workbook(rows: list[list[Cell]], columns: str, code: str = EURO) -> bytes:
    """Return a workbook whose cells of the columns with these letters are of a format."""
    source, target = BytesIO(), BytesIO()
    write_workbook(source, {"Notes": [["mine"]], "Prices": rows})
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(target, "w") as copy:
        for name in whole.namelist():
            text = whole.read(name).decode()
            if name.endswith("styles.xml"):
                given = escape(code, {'"': "&quot;"})
                own = f'<numFmts><numFmt numFmtId="164" formatCode="{given}"/></numFmts>'
                text = text.replace("<cellXfs", f"{own}<cellXfs")
                text = text.replace("</cellXfs>", '<xf numFmtId="164"/></cellXfs>')
            if name.endswith("s2.xml"):
                text = _named(text, columns)
            copy.writestr(name, text)
    return target.getvalue()


def _named(text: str, columns: str) -> str:
    """Return the XML of a sheet with the names of its cells, and a format of some columns."""
    first, *rows = text.split("<row ")
    for number, row in enumerate(rows, start=1):
        before, *cells = row.split("<c")
        for at, cell in enumerate(cells):
            letter = "ABCDEF"[at]
            format_of = ' s="2"' if letter in columns and number > 1 else ""
            cells[at] = f' r="{letter}{number}"{format_of}{cell}'
        rows[number - 1] = "<c".join([before, *cells])
    return "<row ".join([first, *rows])


def currencies(tmp_path: Path, data: bytes) -> list[tuple[str, float, str]]:
    prices = read(tmp_path, data).prices.to_pylist()
    return [(row["card_id"], row["market_price"], row["currency"]) for row in prices]


def test_prices_have_the_currency_of_their_format(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [HEADER, ["a", "2026-09-13", 12.5], ["b", "2026-09-13", 3]]
    assert currencies(tmp_path, workbook(rows, "C")) == [("a", 12.5, "EUR"), ("b", 3.0, "EUR")]
    assert currencies(tmp_path, workbook(rows, "")) == [("a", 12.5, "USD"), ("b", 3.0, "USD")]


def test_prices_of_a_column_a_day_have_the_currency_of_their_format(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [
        ["card_id", "name", "2026-09-13", "2026-09-14"],
        ["a", "A", 12.5, "N/A"],
        ["b", "B", 3, 4],
    ]
    found = currencies(tmp_path, workbook(rows, "CD"))
    assert found == [("a", 12.5, "EUR"), ("b", 3.0, "EUR"), ("b", 4.0, "EUR")]


def test_a_format_that_contradicts_the_header_or_another_price_costs_the_row(
    tmp_path: Path,
) -> None:
    rows: list[list[Cell]] = [[*HEADER[:2], "price ($)"], ["a", "2026-09-13", 12.5]]
    table = read(tmp_path, workbook(rows, "C"))
    assert table.prices.num_rows == 0
    assert table.left_out[0].reason == "the price carries another currency than the header"
    rows = [[*HEADER, "low_price"], ["a", "2026-09-13", 12.5, "$11"]]
    table = read(tmp_path, workbook(rows, "CD"))
    assert table.left_out[0].reason == "the prices of the row are in different currencies"


def test_prices_in_another_currency_are_left_out(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [HEADER, ["a", "2026-09-13", 12.5]]
    table = read(tmp_path, workbook(rows, "C", "[$£-809]#,##0.00"))
    assert table.left_out[0].reason == "the currency is not USD or EUR"


def test_cells_of_an_opendocument_sheet_have_their_currency(tmp_path: Path) -> None:
    def text(value: str) -> str:
        return (
            f'<table:table-cell office:value-type="string"><text:p>{value}</text:p>'
            "</table:table-cell>"
        )

    price = (
        '<table:table-cell table:number-columns-repeated="2" office:value-type="currency" '
        'office:currency="EUR" office:value="12.5"><text:p>12,50 €</text:p></table:table-cell>'
    )
    header = "".join(map(text, [*map(str, HEADER), "low_price"]))
    data = ods_bytes(
        f"<table:table-row>{header}</table:table-row>"
        '<table:table-row table:number-rows-repeated="2">'
        f"{text('a')}{text('2026-09-13')}{price}</table:table-row>"
    )
    table = read(tmp_path, data)
    assert found(table) == [("a", "2026-09-13", 12.5)]
    assert table.prices["currency"].to_pylist() == ["EUR"]
    assert {at: list(cells) for at, cells in cell_currencies(data, 0, 3, 3).items()} == {
        2: ["", "EUR", "EUR"]
    }
    assert cell_currencies(data, 1, 3, 4) == {}
