"""A table with a column a day as one with a row a card and day."""

import numpy as np
import pyarrow as pa

from pokewatch.market.tabular.columns import Columns
from pokewatch.market.tabular.sheet import Sheet


def long_sheet(sheet: Sheet, columns: Columns) -> tuple[Sheet, Columns]:
    """Return the sheet with the columns `date` and `market_price` in place of its columns of days.

    Cells that are empty are no rows: the card had no price that day.
    """
    width, rows = len(columns.days), sheet.rows
    names = [name for name in sheet.names if name not in columns.days]
    values = [_as_text(sheet.column(name)) for name in columns.days]
    filled = np.concatenate([np.asarray(_filled(column), dtype=np.bool_) for column in values])
    row = np.tile(np.arange(rows), width)[filled]
    taken = pa.array(row)
    prices = pa.chunked_array([column.combine_chunks() for column in values], pa.string()).filter(
        pa.array(filled)
    )
    dates = pa.array(
        np.repeat(np.asarray(columns.days, dtype=object), rows)[filled].tolist(), pa.string()
    )
    cells = [sheet.column(name).take(taken) for name in names] + [pa.chunked_array([dates]), prices]
    form = f"{sheet.form}, a column a day ({width} days)"
    long = Sheet(
        (*names, "date", "market_price"),
        tuple(cells),
        sheet.line[row],
        sheet.skipped,
        form,
        sheet.notes,
    )
    return long, Columns(
        {**columns.named, "date": "date", "market_price": "market_price"},
        columns.days,
        columns.other,
    )


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _filled(column: pa.ChunkedArray) -> list[bool]:
    return [bool(cell and cell.strip()) for cell in column.to_pylist()]
