"""A column of cells as text: each different text once, and which row has which."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.market.tabular.sheet import TableError
from pokewatch.plain_text import INVISIBLE_PATTERN

Reasons = dict[str, NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Coded:
    """A column as codes [m] into its different texts; -1 where the cell is empty."""

    texts: list[str]
    code: NDArray[np.int64]
    line: NDArray[np.int64]

    def line_of(self, text_index: int) -> int:
        """Return the first line that holds a text."""
        return int(self.line[int(np.argmax(self.code == text_index))])

    def spread(self, values: Sequence[Any], dtype: Any, empty: Any) -> NDArray[Any]:
        """Return each row's value [m] of one value a text; `empty` where the cell is empty."""
        padded = np.empty(len(values) + 1, dtype=dtype)
        padded[:-1] = values
        padded[-1] = empty
        return padded[self.code]


def check_type(column: pa.ChunkedArray, name: str, *, numeric: bool = False) -> None:
    """Raise TableError for a column whose values are no single texts, numbers or times."""
    if is_readable(column.type, numeric=numeric):
        return
    wanted = "numbers" if numeric else "single texts, numbers or dates"
    raise TableError(
        f"the column {name!r} holds {column.type}, not {wanted}", remedy="store it as text"
    )


def is_readable(kind: pa.DataType, *, numeric: bool = False) -> bool:
    """Return whether values of a type are single texts, numbers or, unless `numeric`, times."""
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
    is_time = pa.types.is_date(kind) or pa.types.is_timestamp(kind)
    return bool(
        is_text or is_number(kind) or pa.types.is_boolean(kind) or (is_time and not numeric)
    )


def coded(column: pa.ChunkedArray, line: NDArray[np.int64]) -> Coded:
    """Return the column's texts, trimmed; cells of blanks alone are empty."""
    # Most texts are repeated on every day of a card: each is trimmed once.
    written = column.cast(pa.string()).combine_chunks().dictionary_encode()
    texts = pc.utf8_trim_whitespace(written.dictionary)
    trimmed = pc.if_else(pc.equal(texts, ""), None, texts).dictionary_encode()
    code_of = np.append(_codes(trimmed), -1)  # the last for cells that are empty
    return Coded(trimmed.dictionary.to_pylist(), code_of[_codes(written)], line)


def _codes(encoded: pa.DictionaryArray) -> NDArray[np.int64]:
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.asarray(codes, dtype=np.int64)


def is_number(kind: pa.DataType) -> bool:
    """Whether the file itself types the column as numbers."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def numbers_of(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a column of numbers, NaN where empty.

    A decimal, or a number of single precision, has the value that it is written as: 12.34, not
    12.3400001526.
    """
    as_written = pa.types.is_float32(column.type) or pa.types.is_decimal(column.type)
    written = column.cast(pa.string()) if as_written else column
    values = written.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.float64)


def shown(cell: pa.Scalar) -> Any:
    """Return the value of a cell, or a text where Python has no such value, as for far years."""
    try:
        return cell.as_py()
    except (OverflowError, ValueError):
        return str(cell.value)


def plain_texts(column: pa.ChunkedArray) -> pa.Array:
    """Return the column as trimmed text, null where empty; whole floats without their ".0"."""
    if pa.types.is_floating(column.type):
        return pa.array(
            [
                None if v is None or not math.isfinite(v) else f"{v:.0f}" if v % 1 == 0 else repr(v)
                for v in column.to_pylist()
            ],
            pa.string(),
        )
    if pa.types.is_decimal(column.type):
        column = pc.replace_substring_regex(column.cast(pa.string()), r"\.0+$", "")
    # Most texts are repeated on every day of a card: each is trimmed once.
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    texts = pc.replace_substring_regex(encoded.dictionary, INVISIBLE_PATTERN, "")
    texts = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.equal(texts, ""), None, texts).take(encoded.indices)
