"""Cells of a spreadsheet that hold no value: errors, merged cells, formulas not computed.

A reader of a sheet's values returns them as empty, and a user would not learn why a row is left
out.
"""

import re
import zipfile
from collections.abc import Iterator
from html import unescape
from io import BytesIO

from pokewatch.market.tabular.numbers import is_error_value
from pokewatch.market.tabular.ods_xml import filled_cells, shown_text, table_xml
from pokewatch.market.tabular.sheet import shortened
from pokewatch.market.tabular.worksheet_xml import attributes, cell_position, worksheet_xml

# Cells in place of a number of several rows, and of a value that no program has computed.
MERGED = "merged with the cell above"
UNCOMPUTED = "a formula without a value: "

_CELL = re.compile(rb"<c\s([^<>]*+)(?<!/)>((?:(?!</c>).)*+)</c>", re.DOTALL)
_FORMULA = re.compile(rb"<f[\s>/](?:[^<>]*>)?([^<>]*)")
_VALUE = re.compile(rb"<v>([^<>]+)</v>")


def cell_fault(text: str) -> str:
    """Return why a cell with this text has no value, "" if it has one."""
    if text == MERGED:
        return f"is {text}: write it in each row"
    if text.startswith(UNCOMPUTED):
        return f"is {text}: open the file in a spreadsheet and save it"
    if is_error_value(text):
        return f"is {shortened(text)}, an error of the spreadsheet: correct the cell"
    return ""


def unvalued_cells(data: bytes, number: int) -> Iterator[tuple[int, int, str]]:
    """Yield row, column and text of the cells without a value, of the sheet of this number.

    Rows, columns and sheets count from 0. The text is that of the error, or the formula.
    """
    with zipfile.ZipFile(BytesIO(data)) as archive:
        if "content.xml" in archive.namelist():
            yield from _errors_of_ods(table_xml(archive.read("content.xml"), number))
        xml = worksheet_xml(archive, number)
    if b'"e"' not in xml and b"<f" not in xml:
        return
    for match in _CELL.finditer(xml):
        if b'"e"' not in match[1] and b"<f" not in match[2]:
            continue  # as nearly all
        cell = attributes(match[1])
        at, text = cell_position(cell.get("r", "")), _text(cell.get("t", ""), match[2])
        if at and text:
            yield *at, text


def _errors_of_ods(xml: bytes) -> Iterator[tuple[int, int, str]]:
    """Yield the cells whose formula shows an error, which have the value 0 or an empty text."""
    for cells in filled_cells(xml):
        if b"formula=" in cells.attributes and is_error_value(text := shown_text(xml, cells)):
            for row in range(cells.top, cells.bottom):
                for column in range(cells.left, cells.right):
                    yield row, column, text


def _text(kind: str, content: bytes) -> str:
    """Return the error or the formula of a cell, "" if it has a value, which may be no text."""
    value, formula = _VALUE.search(content), _FORMULA.search(content)
    if kind == "e":
        return unescape(value[1].decode()) if value else ""
    if formula is None or value is not None or kind == "str":
        return ""
    return f"{UNCOMPUTED}={unescape(formula[1].decode())}"
