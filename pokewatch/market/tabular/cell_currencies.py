"""The currencies that a spreadsheet shows beside its numbers, by the formats of their cells.

A cell that shows "12,50 €" may hold 12.5 alone: the sign belongs to its format.
"""

import re
import zipfile
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from pokewatch.market.tabular.ods_xml import filled_cells, table_xml
from pokewatch.market.tabular.worksheet_xml import attributes, cell_position, worksheet_xml
from pokewatch.money import currencies_named

_NUMBER_FORMAT = re.compile(rb"<numFmt\s([^<>]*+)>")
_CELL_FORMATS, _CELL_FORMATS_END = b"<cellXfs", b"</cellXfs>"
_CELL_FORMAT = re.compile(rb"<xf\s([^<>]*+)>")
_CELL = re.compile(rb"<c\s([^<>]*+)(?<!/)>")
# What a format writes beside the digits: "[$€-407]", a text in quotes, or a sign.
_LITERAL = re.compile(r'\[\$(?P<sign>[^\]-]*)-?(?P<place>[^\]]*)\]|"(?P<text>[^"]*)"|[$€£¥₩]')
# Dollars by the number of the format's language, which is not the American one.
_DOLLARS = {
    "1009": "CAD",
    "C0C": "CAD",
    "C09": "AUD",
    "1409": "NZD",
    "80A": "MXN",
    "4809": "SGD",
    "C04": "HKD",
    "404": "TWD",
}
_ODS_CURRENCY = re.compile(rb'\bcurrency="([A-Z]{3})"')
_Found = tuple[slice, int, str]  # rows, column, currency


def cell_currencies(
    data: bytes, number: int, rows: int, columns: int
) -> dict[int, NDArray[np.str_]]:
    """Return the currencies [rows] of the formats of a column's cells, for columns that have any.

    They are those of the first `columns` of a sheet. Columns, and the `number` of the sheet, count
    from 0. The formats of .xlsx and .ods are known.
    """
    found: dict[int, NDArray[np.str_]] = {}
    with zipfile.ZipFile(BytesIO(data)) as archive:
        of_ods = "content.xml" in archive.namelist()
        cells = _of_ods(archive, number, columns) if of_ods else _of_xlsx(archive, number)
        for where, column, currency in cells:
            if column < columns:
                if column not in found:
                    found[column] = np.full(rows, "", dtype="<U3")
                found[column][where] = currency
    return found


def _of_ods(archive: zipfile.ZipFile, number: int, columns: int) -> Iterator[_Found]:
    for cells in filled_cells(table_xml(archive.read("content.xml"), number)):
        if match := _ODS_CURRENCY.search(cells.attributes):
            for column in range(cells.left, min(cells.right, columns)):
                yield slice(cells.top, cells.bottom), column, match[1].decode()


def _of_xlsx(archive: zipfile.ZipFile, number: int) -> Iterator[_Found]:
    currencies = _of_formats(archive)
    if not currencies:
        return
    for match in _CELL.finditer(worksheet_xml(archive, number)):
        cell = attributes(match[1])
        currency, at = currencies.get(cell.get("s", "")), cell_position(cell.get("r", ""))
        if currency and at:
            yield slice(at[0], at[0] + 1), at[1], currency


def _of_formats(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the currency of each number of a cell format that has one."""
    try:
        xml = archive.read("xl/styles.xml")
    except KeyError:
        return {}
    formats = [attributes(each) for each in _NUMBER_FORMAT.findall(xml)]
    codes = {each.get("numFmtId"): each.get("formatCode", "") for each in formats}
    start = xml.find(_CELL_FORMATS)
    cells = _CELL_FORMAT.findall(xml[start : xml.find(_CELL_FORMATS_END, start)])
    named = {
        str(at): format_currency(codes.get(attributes(each).get("numFmtId"), ""))
        for at, each in enumerate(cells)
    }
    return {at: currency for at, currency in named.items() if currency}


def format_currency(code: str) -> str:
    """Return the currency that a number format writes, "" for none and for several."""
    found = set[str]()
    for match in _LITERAL.finditer(code.replace("\\", "")):
        sign = match["sign"] if match["text"] is None else match["text"]
        place = (match["place"] or "").upper()
        if sign == "$" and place in _DOLLARS:
            found.add(_DOLLARS[place])
        else:
            found |= currencies_named(match[0] if sign is None else sign)
    return found.pop() if len(found) == 1 else ""
