"""Opening a file as a sheet: by what its first bytes say it is, whatever its name."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pokewatch.market.tabular.column_names import KNOWN
from pokewatch.market.tabular.header_rows import CARD_NAMES, simplified
from pokewatch.market.tabular.sheet import Sheet, TableError
from pokewatch.market.tabular.text import EXAMPLE, read_text
from pokewatch.market.tabular.workbook import read_workbook

_PARQUET = b"PAR1"
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_MOST_BYTES = 2 * 1024**3


def read_sheet(
    path: Path,
    *,
    encoding: str | None = None,
    names: Sequence[str] = (),
    alone: Sequence[str] = (),
    example: str = EXAMPLE,
    encoding_setting: str = "",
) -> Sheet:
    """Return the table of a file: Parquet, an Excel or OpenDocument workbook, or text.

    `names` are further column names to know; what follows it is as for `read_text`.

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
        return read_workbook(data, known, CARD_NAMES.union(map(simplified, alone)))
    return read_text(data, known, encoding, alone, example, encoding_setting)


def _read_parquet(path: Path) -> Sheet:
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
        table.validate(full=True)  # a damaged file may hold text that is not UTF-8
    except (pa.ArrowException, OSError) as error:
        cause = str(error).partition("\n")[0]
        raise TableError(
            f"the file cannot be read as Parquet: {cause}", remedy="write or copy it again"
        ) from None
    return sheet_of(table, "Parquet")


def sheet_of(table: pa.Table, form: str) -> Sheet:
    """Return an Arrow table as a sheet; a row's line is its number, counted from 1."""
    columns = tuple(map(_decoded, table.columns))
    return Sheet(
        tuple(table.column_names),
        columns,
        np.arange(1, table.num_rows + 1, dtype=np.int64),
        form=form,
    )


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return dictionaries as their values; views of texts and half precision as the plain types."""
    if pa.types.is_dictionary(column.type):
        return _decoded(column.cast(column.type.value_type))
    if pa.types.is_string_view(column.type):
        return column.cast(pa.string())
    return column.cast(pa.float32()) if pa.types.is_float16(column.type) else column
