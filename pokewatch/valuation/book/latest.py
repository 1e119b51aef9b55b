"""The values of every card on the last day of a book, which are read when it opens.

`latest.arrow` has one row per card: the last value of each of `layout.COLUMNS`, and `last_quote`,
the last market price up to that day. In the files of the columns the values of one day lie as far
apart as a card has days, so that reading them there reads nearly every page.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pokewatch.errors import BookError
from pokewatch.valuation.book.layout import COLUMNS, NO_PRICE, numbers

LATEST = "latest.arrow"
_DTYPES: Mapping[str, np.dtype] = MappingProxyType({**COLUMNS, "last_quote": COLUMNS["market"]})
LATEST_SCHEMA = pa.schema(
    [pa.field(name, pa.from_numpy_dtype(dtype), nullable=False) for name, dtype in _DTYPES.items()]
)


def latest_table(columns: Mapping[str, np.ndarray]) -> pa.Table:
    """Return the content of `latest.arrow` for the columns [cards, days] of a book."""
    cards, days = columns["market"].shape
    last = np.full(cards, days - 1)
    values = {name: np.ascontiguousarray(columns[name][:, -1]) for name in COLUMNS}
    values["last_quote"] = last_quotes(columns["market"], np.arange(cards), last)
    return pa.table(values, schema=LATEST_SCHEMA)


def latest_values(table: pa.Table) -> dict[str, np.ndarray]:
    """Return the columns of a table of `latest.arrow`, as stored. Raise BookError."""
    if (chunks := table.column(0).num_chunks) != 1:
        raise BookError(f"{LATEST} contains {chunks} batches, wanted 1")
    return {name: numbers(table[name], dtype) for name, dtype in _DTYPES.items()}


def last_quotes(
    market: NDArray[np.int32], position: NDArray[np.intp], day: NDArray[np.intp]
) -> NDArray[np.int32]:
    """Return the last quote of each card at `position` up to its `day`, NO_PRICE without one.

    `market` [cards, days] and the quotes are in cents.
    """
    cents: NDArray[np.int32] = market[position, day]
    for row in np.flatnonzero(cents == NO_PRICE).tolist():
        quoted = np.flatnonzero(market[position[row], : day[row] + 1] != NO_PRICE)
        cents[row] = market[position[row], quoted[-1]] if len(quoted) else NO_PRICE
    return cents
