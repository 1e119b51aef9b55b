"""Cells of a spreadsheet that hold no value: errors, merged cells, formulas not computed.

A reader of an Excel sheet's values returns them as empty, and a user would not learn why a row is
left out.
"""

import re
import zipfile
from collections.abc import Iterator
from html import unescape
from io import BytesIO

from pokewatch.market.tabular.numbers import is_error_value
from pokewatch.market.tabular.sheet import shortened

# Cells in place of a number of several rows, and of a value that no program has computed.
MERGED = "merged with the cell above"
UNCOMPUTED = "a formula without a value: "

_SHEET = re.compile(rb'<sheet\s[^<>]*?\b\w+:id="([^"<>]*)"')
_RELATION = re.compile(rb"<Relationship\s([^<>]*)>")
_ATTRIBUTE = re.compile(rb'\b(\w+)="([^"<>]*)"')
_CELL = re.compile(rb"<c\s([^<>]*+)(?<!/)>((?:(?!</c>).)*+)</c>", re.DOTALL)
_FORMULA = re.compile(rb"<f[\s>/](?:[^<>]*>)?([^<>]*)")
_VALUE = re.compile(rb"<v>([^<>]+)</v>")
_NAME = re.compile(r"([A-Z]{1,3})(\d{1,7})")


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
        try:
            ids = _SHEET.findall(archive.read("xl/workbook.xml"))
            xml = archive.read(_targets(archive)[ids[number]])
        except (KeyError, IndexError):  # another format, or a name that no program writes
            return
    if b'"e"' not in xml and b"<f" not in xml:
        return
    for match in _CELL.finditer(xml):
        if b'"e"' not in match[1] and b"<f" not in match[2]:
            continue  # as nearly all
        attributes = _attributes(match[1])
        name = _NAME.fullmatch(attributes.get("r", ""))
        if name and (text := _text(attributes.get("t", ""), match[2])):
            yield int(name[2]) - 1, column_number(name[1]) - 1, text


def column_number(letters: str) -> int:
    """Return the number of a column, counted from 1, by its letters."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number


def _targets(archive: zipfile.ZipFile) -> dict[bytes, str]:
    relations = archive.read("xl/_rels/workbook.xml.rels")
    found = [_attributes(match) for match in _RELATION.findall(relations)]
    return {
        each["Id"].encode(): f"xl/{each['Target'].removeprefix('/xl/')}"
        for each in found
        if {"Id", "Target"} <= each.keys()
    }


def _attributes(xml: bytes) -> dict[str, str]:
    return {name.decode(): unescape(text.decode()) for name, text in _ATTRIBUTE.findall(xml)}


def _text(kind: str, content: bytes) -> str:
    """Return the error or the formula of a cell, "" if it has a value, which may be no text."""
    value, formula = _VALUE.search(content), _FORMULA.search(content)
    if kind == "e":
        return unescape(value[1].decode()) if value else ""
    if formula is None or value is not None or kind == "str":
        return ""
    return f"{UNCOMPUTED}={unescape(formula[1].decode())}"
