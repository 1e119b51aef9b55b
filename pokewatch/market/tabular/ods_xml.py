"""The XML of an OpenDocument sheet, whose rows and cells may be repeated."""

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

# The attributes of each row and cell, the cells after their row.
_ROW_OR_CELL = re.compile(
    rb"<table:(?:(?P<row>table-row)|(?:covered-)?table-cell)(?=[\s/>])(?P<attributes>[^<>]*+)>"
)
_ROWS_REPEATED = re.compile(rb'\bnumber-rows-repeated="(\d{1,12})"')
_COLUMNS_REPEATED = re.compile(rb'\bnumber-columns-repeated="(\d{1,12})"')
_PARAGRAPH = re.compile(rb"\s*<text:p>([^<>]*+)</text:p>")
_TABLE, _TABLE_END = b"<table:table ", b"</table:table>"


class Cells(NamedTuple):
    """Equal cells with a value: where they begin, before which row and column they end.

    `content` is where what they show begins in the XML.
    """

    top: int
    bottom: int
    left: int
    right: int
    attributes: bytes
    content: int


def filled_cells(xml: bytes) -> Iterator[Cells]:
    """Yield the cells with a value, by the rows and columns of their sheet, counted from 0."""
    top = bottom = column = 0
    for found in _ROW_OR_CELL.finditer(xml):
        attributes = found["attributes"]
        if found["row"]:
            top, bottom, column = bottom, bottom + _times(_ROWS_REPEATED, attributes), 0
            continue
        left, column = column, column + _times(_COLUMNS_REPEATED, attributes)
        if b"value-type=" in attributes:
            yield Cells(top, bottom, left, column, attributes, found.end())


def shown_text(xml: bytes, cells: Cells) -> str:
    """Return the first paragraph that cells show, "" if there is none."""
    match = _PARAGRAPH.match(xml, cells.content)
    return unescape(match[1].decode()) if match else ""


def table_xml(content: bytes, number: int) -> bytes:
    """Return the XML of the sheet of this number, counted from 0; it is empty if there is none."""
    start = -1
    for _ in range(number + 1):
        start = content.find(_TABLE, start + 1)
        if start < 0:
            return b""
    return content[start : content.find(_TABLE_END, start)]


def _times(repeated: re.Pattern[bytes], attributes: bytes) -> int:
    match = repeated.search(attributes)
    return int(match[1]) if match else 1
