"""The XML of an Excel workbook, where a reader of values does not tell enough."""

import re
import zipfile
from html import unescape

_SHEET = re.compile(rb'<sheet\s[^<>]*?\b\w+:id="([^"<>]*)"')
_RELATION = re.compile(rb"<Relationship\s([^<>]*)>")
_ATTRIBUTE = re.compile(rb'\b(\w+)="([^"<>]*)"')
_CELL_NAME = re.compile(r"([A-Z]{1,3})(\d{1,7})")


def worksheet_xml(archive: zipfile.ZipFile, number: int) -> bytes:
    """Return the XML of the sheet of this number, counted from 0.

    It is empty for another format, and for a name that no program writes.
    """
    try:
        ids = _SHEET.findall(archive.read("xl/workbook.xml"))
        return archive.read(_targets(archive)[ids[number]])
    except (KeyError, IndexError):
        return b""


def attributes(xml: bytes) -> dict[str, str]:
    """Return the attributes of an element, by their names without a namespace."""
    return {name.decode(): unescape(text.decode()) for name, text in _ATTRIBUTE.findall(xml)}


def cell_position(name: str) -> tuple[int, int] | None:
    """Return row and column of a cell such as "C2", counted from 0; None for another name."""
    match = _CELL_NAME.fullmatch(name)
    return match and (int(match[2]) - 1, column_number(match[1]) - 1)


def column_number(letters: str) -> int:
    """Return the number of a column, counted from 1, by its letters."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number


def _targets(archive: zipfile.ZipFile) -> dict[bytes, str]:
    relations = archive.read("xl/_rels/workbook.xml.rels")
    found = [attributes(match) for match in _RELATION.findall(relations)]
    return {
        each["Id"].encode(): f"xl/{each['Target'].removeprefix('/xl/')}"
        for each in found
        if {"Id", "Target"} <= each.keys()
    }
