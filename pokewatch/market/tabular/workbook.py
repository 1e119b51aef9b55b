"""Excel and OpenDocument workbooks as a sheet."""

import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pokewatch.market.tabular.cell_currencies import cell_currencies
from pokewatch.market.tabular.header_rows import (
    CARD_NAMES,
    REPEATED_HEADER,
    SECOND_TABLE,
    Header,
    names_columns,
    simplified,
)
from pokewatch.market.tabular.numbers import is_error_value
from pokewatch.market.tabular.ods_xml import filled_cells
from pokewatch.market.tabular.sheet import Sheet, SkippedLine, TableError, shortened
from pokewatch.market.tabular.unvalued_cells import MERGED, unvalued_cells
from pokewatch.market.tabular.worksheet_xml import column_number

_ZIP = b"PK\x03\x04"
_WORKSHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_FILLED_CELL = re.compile(rb"<c(?=\s)([^<>]*+)(?<!/)>")
_CELL_NAME = re.compile(rb'\br="([A-Z]{1,3})(\d{1,7})"')
_MOST_BYTES = 1024**3
_MOST_CELLS = 20_000_000
_MOST_HEADER_ROWS = 50


def read_workbook(data: bytes, known: frozenset[str], cards: frozenset[str] = CARD_NAMES) -> Sheet:
    """Return the first sheet of a workbook whose columns are known, else the first with cells.

    One with a column of `cards`, the names of those that tell the card, comes before others, such
    as sums of sets, and a sheet that is hidden after those that are shown. Raise TableError for
    data that cannot be read, or that is too large.
    """
    import python_calamine

    _check_size(data)

    try:
        workbook = python_calamine.CalamineWorkbook.from_filelike(BytesIO(data))
        sheets = [(name, _rows(workbook, name, data)) for name in _shown_first(workbook)]
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise TableError(
            f"the file cannot be read as a workbook: {error}", remedy="save it as .xlsx or as CSV"
        ) from None
    filled = [
        (name, rows) for name, rows in sheets if any(_cell(cell) for row in rows for cell in row)
    ]
    if not filled:
        raise TableError("the workbook has no cells")
    found = [
        (name, rows, header)
        for name, rows in filled
        if (header := _header_row(rows, known)) is not None
    ]
    named = [each for each in found if not cards.isdisjoint(map(simplified, _names(*each[1:])))]
    found = named or found
    name, rows, header = found[0] if found else (*filled[0], _first_row(filled[0][1]))
    unread = [each for each, _ in filled if each != name]
    notes = _unread_notes(unread, [each for each, *_ in named if each != name])
    sheet = _workbook_sheet(name, rows, header, known, notes)
    return _with_currencies(sheet, data, workbook.sheet_names.index(name), len(rows))


def _with_currencies(sheet: Sheet, data: bytes, number: int, rows: int) -> Sheet:
    if not data.startswith(_ZIP):
        return sheet
    found = cell_currencies(data, number, rows, len(sheet.names))
    named = {sheet.names[at]: cells[sheet.line - 1] for at, cells in found.items()}
    return replace(sheet, currencies=named)


def _rows(workbook: Any, name: str, data: bytes) -> list[list[Any]]:
    """Return the cells of a sheet; errors and formulas without a value as texts.

    A text or day that is merged over several rows is that of each of them that has cells of its
    own, as it looks. A number may count the rows together: it is that of the first, and the others
    say why they have none.
    """
    sheet = workbook.get_sheet_by_name(name)
    rows: list[list[Any]] = sheet.to_python(skip_empty_area=False)
    if data.startswith(_ZIP):
        for row, column, text in unvalued_cells(data, workbook.sheet_names.index(name)):
            if row < len(rows) and column < len(rows[row]):
                empty = not _cell(rows[row][column])
                rows[row][column] = text if empty or is_error_value(text) else rows[row][column]
    own = [any(map(_cell, row)) for row in rows]
    for (top, left), (bottom, _) in sheet.merged_cell_ranges or ():
        if top < len(rows) and left < len(rows[top]):
            first = rows[top][left]
            for at in range(top + 1, min(bottom + 1, len(rows))):
                if own[at]:
                    rows[at][left] = MERGED if _is_number(first) else first
    return rows


def _shown_first(workbook: Any) -> list[str]:
    """Return the names of the sheets, of those that are hidden last."""
    from python_calamine import SheetVisibleEnum

    visible = {each.name: each.visible for each in workbook.sheets_metadata}
    names: list[str] = workbook.sheet_names
    return sorted(names, key=lambda name: visible[name] != SheetVisibleEnum.Visible)


def _check_size(data: bytes) -> None:
    """Raise TableError for a workbook whose cells, filled or not, would not fit in memory."""
    if not data.startswith(_ZIP):
        return
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = archive.namelist()
            if not any(name == "content.xml" or name.startswith("xl/") for name in names):
                if any(name.endswith(".iwa") for name in names):
                    raise TableError("the file is a document of Numbers", remedy="export it as CSV")
                raise TableError("the file is a zip archive", remedy="unpack it")
            size = sum(member.file_size for member in archive.infolist())
            if size > _MOST_BYTES:
                raise TableError(
                    f"the workbook has {size:,} bytes unpacked; {_MOST_BYTES:,} are read",
                    remedy="save the sheet as CSV",
                )
            for name in filter(_WORKSHEET.fullmatch, names):
                _check_extent(*_extent(archive.read(name)))
            if "content.xml" in names:
                _check_extent(*_repeated_extent(archive.read("content.xml")))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise TableError(
            f"the workbook is damaged or encrypted: {error}", remedy="save or copy it again"
        ) from None


def _extent(xml: bytes) -> tuple[int, int]:
    """Return the last row and column with a cell of an Excel sheet."""
    names = (_CELL_NAME.search(filled[1]) for filled in _FILLED_CELL.finditer(xml))
    cells = [(name[1], int(name[2])) for name in names if name]
    rows = max((row for _, row in cells), default=0)
    columns = max((column_number(each.decode()) for each in {each for each, _ in cells}), default=0)
    return rows, columns


def _repeated_extent(xml: bytes) -> tuple[int, int]:
    """Return the last row and column with a cell of OpenDocument sheets, whose cells may repeat."""
    rows = columns = 0
    for cells in filled_cells(xml):
        rows, columns = cells.bottom, max(columns, cells.right)
    return rows, columns


def _check_extent(rows: int, columns: int) -> None:
    if rows * columns > _MOST_CELLS:
        raise TableError(
            f"the sheet reaches to row {rows:,} and column {columns:,}; "
            f"{_MOST_CELLS:,} cells are read",
            remedy="delete the cells far from the table, or save the sheet as CSV",
        )


def _header_row(rows: Sequence[Sequence[Any]], known: frozenset[str]) -> int | None:
    """Return the row of the header, the last one of several whose names are merged."""
    texts = [list(map(_text, row)) for row in rows[:_MOST_HEADER_ROWS]]
    found = next((at for at, row in enumerate(texts) if names_columns(row, known)), None)
    while found is not None and found + 1 < len(texts) and _is_below(texts, found, known):
        found += 1
    return found


def _is_below(texts: Sequence[list[str]], header: int, known: frozenset[str]) -> bool:
    """Return whether the row below a header names its columns and others."""
    upper, lower = ({simplified(each) for each in texts[at]} & known for at in (header, header + 1))
    return len(upper) <= len(lower) and Header(texts[header]).goes_on_in(texts[header + 1], known)


def _names(rows: Sequence[Sequence[Any]], header: int) -> list[str]:
    return [_text(cell).strip() for cell in rows[header]]


def _first_row(rows: Sequence[Sequence[Any]]) -> int:
    return next(i for i, row in enumerate(rows) if any(_cell(cell) for cell in row))


def _workbook_sheet(
    name: str,
    rows: Sequence[Sequence[Any]],
    header: int,
    known: frozenset[str],
    notes: tuple[str, ...],
) -> Sheet:
    names = _names(rows, header)
    while names and not names[-1]:
        names.pop()
    body: list[tuple[int, Sequence[Any]]] = []
    skipped: list[SkippedLine] = []
    named, second = Header(names), False
    for number, row in enumerate(rows, start=1):
        if not any(map(_cell, row)) or number == header + 1:
            continue
        texts = list(map(_text, row))
        repeated = number > header and (
            named.is_repeated_by(texts[: len(names)])
            or (number == header + 2 and named.goes_on_in(texts, known))
        )
        second = second or (
            number > header
            and not repeated
            and named.is_replaced_by(texts, known, directly=not body)
        )
        if fault := _row_fault(number <= header, repeated, second):
            skipped.append(SkippedLine(number, ", ".join(map(_text, row)), fault))
        else:
            body.append((number, row))
    cells = [[row[index] for _, row in body] for index in range(len(names))]
    columns = tuple(map(_column, cells))
    numbers: dict[str, NDArray[np.float64]] = {}
    for column, typed, given in zip(names, columns, cells, strict=True):
        if pa.types.is_string(typed.type) and any(map(_is_number, given)):
            found = [float(cell) if _is_number(cell) else np.nan for cell in given]
            numbers.setdefault(column, np.asarray(found))
    lines = np.asarray([number for number, _ in body], dtype=np.int64)
    form = f"workbook, sheet {name!r}, header in row {header + 1}"
    return Sheet(tuple(names), columns, lines, tuple(skipped), form, notes, numbers)


def _unread_notes(unread: Sequence[str], with_cards: Sequence[str]) -> tuple[str, ...]:
    """Return the note of the sheets that are not read, some of them with cards."""
    if not unread:
        return ()
    note = f"sheets that are not read: {', '.join(map(shortened, unread))}"
    if with_cards:
        note += (
            f"; to read the cards in {', '.join(map(shortened, with_cards))}, save each as a file"
        )
    return (note,)


def _row_fault(before: bool, repeated: bool, second: bool) -> str:
    """Return why a row with cells is not one of the table, "" if it is."""
    if before:
        return "stands before the header"
    if second:
        return SECOND_TABLE
    return REPEATED_HEADER if repeated else ""


def _column(cells: Sequence[Any]) -> pa.ChunkedArray:
    """A typed column where all cells are of one type, else text."""
    filled = [cell for cell in cells if _cell(cell)]
    if filled and all(map(_is_number, filled)):
        return pa.chunked_array(
            [pa.array([float(cell) if _cell(cell) else None for cell in cells], pa.float64())]
        )
    if filled and all(isinstance(cell, date) for cell in filled):
        moments = [
            None
            if not _cell(cell)
            else cell
            if isinstance(cell, datetime)
            else datetime.combine(cell, time())
            for cell in cells
        ]
        return pa.chunked_array([pa.array(moments, pa.timestamp("us"))])
    return pa.chunked_array(
        [pa.array([_text(cell) if _cell(cell) else None for cell in cells], pa.string())]
    )


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _cell(cell: Any) -> bool:
    """Whether the cell holds anything."""
    return cell is not None and (not isinstance(cell, str) or bool(cell.strip()))


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ") if cell.time() != time() else cell.date().isoformat()
    if isinstance(cell, date | time | timedelta):
        return str(cell)
    return "" if cell is None else str(cell)
