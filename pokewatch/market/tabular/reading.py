"""Opening a file as a sheet: by what its first bytes say it is, whatever its name."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pokewatch.market.tabular.columns import KNOWN
from pokewatch.market.tabular.sheet import Sheet, SkippedLine, TableError
from pokewatch.market.tabular.text import read_text, simplified

_PARQUET = b"PAR1"
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_MOST_BYTES = 2 * 1024**3


def read_sheet(path: Path, *, encoding: str | None = None, names: Sequence[str] = ()) -> Sheet:
    """Return the table of a file: Parquet, an Excel or OpenDocument workbook, or text.

    `names` are columns that the user named.

    Raise TableError where it cannot be read, OSError where it cannot be opened.
    """
    with path.open("rb") as file:
        start = file.read(8)
        if start.startswith(_PARQUET):
            return _read_parquet(path)
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise TableError(
                f"the file has {size:,} bytes; text and workbooks are read up to {_MOST_BYTES:,}",
                remedy="store it as Parquet",
            )
        data = start + file.read()
    known = KNOWN | {simplified(name) for name in names}
    if data.startswith(_WORKBOOKS):
        return _read_workbook(data, known)
    return read_text(data, known, encoding)


def _read_parquet(path: Path) -> Sheet:
    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise TableError(f"the file cannot be read as Parquet: {error}") from None
    return sheet_of(table, "Parquet")


def sheet_of(table: pa.Table, form: str) -> Sheet:
    """Return an Arrow table as a sheet; a row's line is its number, counted from 1."""
    columns = tuple(
        column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    )
    return Sheet(
        tuple(table.column_names),
        columns,
        np.arange(1, table.num_rows + 1, dtype=np.int64),
        form=form,
    )


def _read_workbook(data: bytes, known: frozenset[str]) -> Sheet:
    import python_calamine

    try:
        workbook = python_calamine.CalamineWorkbook.from_filelike(BytesIO(data))
        sheets = [
            (name, workbook.get_sheet_by_name(name).to_python(skip_empty_area=False))
            for name in workbook.sheet_names
        ]
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
    name, rows, header = found[0] if found else (*filled[0], _first_row(filled[0][1]))
    return _workbook_sheet(name, rows, header, len(filled))


def _header_row(rows: Sequence[Sequence[Any]], known: frozenset[str]) -> int | None:
    return next(
        (
            i
            for i, row in enumerate(rows[:50])
            if sum(simplified(_text(cell)) in known for cell in row) >= 2
        ),
        None,
    )


def _first_row(rows: Sequence[Sequence[Any]]) -> int:
    return next(i for i, row in enumerate(rows) if any(_cell(cell) for cell in row))


def _workbook_sheet(name: str, rows: Sequence[Sequence[Any]], header: int, sheets: int) -> Sheet:
    names = [_text(cell).strip() for cell in rows[header]]
    while names and not names[-1]:
        names.pop()
    body = [
        (number, row)
        for number, row in enumerate(rows, start=1)
        if number > header + 1 and any(_cell(cell) for cell in row)
    ]
    skipped = [
        SkippedLine(number, ", ".join(map(_text, row)), "stands before the header")
        for number, row in enumerate(rows[:header], start=1)
        if any(_cell(cell) for cell in row)
    ]
    columns = tuple(_column([row[index] for _, row in body]) for index in range(len(names)))
    lines = np.asarray([number for number, _ in body], dtype=np.int64)
    form = f"workbook, sheet {name!r}, header in row {header + 1}" + (
        f" ({sheets - 1} further sheets not read)" if sheets > 1 else ""
    )
    return Sheet(tuple(names), columns, lines, tuple(skipped), form)


def _column(cells: Sequence[Any]) -> pa.ChunkedArray:
    """A typed column where all cells are of one type, else text."""
    filled = [cell for cell in cells if _cell(cell)]
    if filled and all(
        isinstance(cell, int | float) and not isinstance(cell, bool) for cell in filled
    ):
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


def _cell(cell: Any) -> bool:
    """Whether the cell holds anything."""
    return cell is not None and (not isinstance(cell, str) or bool(cell.strip()))


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell == int(cell):
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ") if cell.time() != time() else cell.date().isoformat()
    if isinstance(cell, date | time | timedelta):
        return str(cell)
    return "" if cell is None else str(cell)
