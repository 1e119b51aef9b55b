"""A table with a column a day as one with a row a card and day."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.market.tabular.cells import is_number, numbers_of
from pokewatch.market.tabular.columns import NUMERIC_FIELDS, Columns
from pokewatch.market.tabular.sheet import Sheet, shortened


def long_sheet(sheet: Sheet, columns: Columns) -> tuple[Sheet, Columns]:
    """Return the sheet with the columns `date` and `market_price` in place of its columns of days.

    Cells that are empty are no rows: the card had no price that day. Other columns of prices or
    sales belong to no day, and are not used.
    """
    width, rows = len(columns.days), sheet.rows
    of_no_day = {columns.named.get(field) for field in NUMERIC_FIELDS}
    unused = [name for name in sheet.names if name in {"date", "market_price", *of_no_day}]
    names = [name for name in sheet.names if name not in (*columns.days, *unused)]
    values = [_as_text(sheet.column(name)) for name in columns.days]
    numbers = np.concatenate([_numbers(sheet, name) for name in columns.days])
    none = np.full(rows, "", dtype="<U3")
    shown = np.concatenate([sheet.currencies.get(name, none) for name in columns.days])
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
        (*sheet.notes, *(f"not used beside columns of days: {shortened(each)}" for each in unused)),
        {name: sheet.numbers[name][row] for name in names if name in sheet.numbers}
        | {"market_price": numbers[filled]},
        {"market_price": shown[filled]},
    )
    return long, Columns(
        {
            **{field: name for field, name in columns.named.items() if name not in unused},
            "date": "date",
            "market_price": "market_price",
        },
        columns.days,
        tuple(name for name in columns.other if name not in unused),
    )


def _numbers(sheet: Sheet, name: str) -> NDArray[np.float64]:
    """Return the cells that the file types as numbers, NaN elsewhere."""
    column = sheet.column(name)
    if is_number(column.type):
        return numbers_of(column)
    return sheet.numbers.get(name, np.full(sheet.rows, np.nan))


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the column as text; NaN of a column of numbers is empty."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _filled(column: pa.ChunkedArray) -> list[bool]:
    return [bool(cell and cell.strip()) for cell in column.to_pylist()]
