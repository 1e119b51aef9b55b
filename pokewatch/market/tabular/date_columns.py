"""Columns of dates as UTC days: the order of day and month is found from the whole column."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.market.tabular.cells import Coded, Reasons, coded, is_number
from pokewatch.market.tabular.dates import (
    ORDER_NAMES,
    DateCell,
    Order,
    order_of,
    parse_date,
    serial_day,
)
from pokewatch.market.tabular.numbers import STRAY
from pokewatch.market.tabular.sheet import TableError


@dataclass(slots=True)
class Days:
    """UTC days [m], NaT where none; rows refused, by reason."""

    values: NDArray[np.datetime64]
    refused: Reasons
    convention: str = ""


def read_days(
    column: pa.ChunkedArray,
    line: NDArray[np.int64],
    name: str,
    order: Order | None,
    first: date,
    last: date,
) -> Days:
    """Return the column as days between `first` and `last`.

    A point in time with a zone is its UTC day; without one, the day as written. Raise TableError
    where the order of day and month cannot be inferred from the column, or differs within it.
    """
    days, convention = _typed_days(column), ""
    if days is None:
        days, convention = _text_days(coded(column, line), name, order)
    missing = np.isnat(days)
    outside = ~missing & ((days < np.datetime64(first, "D")) | (days > np.datetime64(last, "D")))
    refused: Reasons = {}
    if missing.any():
        empty = column.is_null().to_numpy(zero_copy_only=False) | (
            _blank(column) if pa.types.is_string(column.type) else False
        )
        refused |= {
            f"{name} is missing": missing & empty,
            f"{name} is not a day like 2025-10-22": missing & ~empty,
        }
    if outside.any():
        refused[f"{name} is not between {first} and {last}"] = outside
    return Days(
        np.where(outside, np.datetime64("NaT"), days),
        {why: rows for why, rows in refused.items() if rows.any()},
        convention,
    )


def _blank(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    blank = pc.equal(pc.utf8_trim_whitespace(column), "").fill_null(True)
    return np.asarray(blank.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _typed_days(column: pa.ChunkedArray) -> NDArray[np.datetime64] | None:
    kind = column.type
    if pa.types.is_date(kind):
        return _numpy_days(column.cast(pa.date32()))
    if pa.types.is_timestamp(kind):
        # The value stored is the point in time in UTC, whatever the zone it is shown in.
        zone = "UTC" if kind.tz else None
        moments = column.cast(pa.timestamp("us", zone), safe=False).to_numpy(zero_copy_only=False)
        return np.asarray(moments.astype("datetime64[us]"), dtype="datetime64[D]")
    if is_number(kind):
        return _counted_days(column)
    return None


def _counted_days(column: pa.ChunkedArray) -> NDArray[np.datetime64]:
    """Return the days of Excel's serial numbers, or of (milli-, micro-) seconds since 1970."""
    texts = {
        value: _counted_day(value) for value in pc.unique(column).to_pylist() if value is not None
    }
    days = [
        np.datetime64(found, "D") if (found := texts.get(value)) else np.datetime64("NaT")
        for value in column.to_pylist()
    ]
    return np.asarray(days, dtype="datetime64[D]")


def _counted_day(value: float) -> date | None:
    if not math.isfinite(value):
        return None
    found = serial_day(value)
    if found is not None:
        return found
    cell = parse_date(str(int(value)))
    return next(iter(cell.days.values())) if cell is not None else None


def _numpy_days(column: pa.ChunkedArray) -> NDArray[np.datetime64]:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype="datetime64[D]")


def _text_days(cells: Coded, name: str, order: Order | None) -> tuple[NDArray[np.datetime64], str]:
    parsed = [parse_date(text) for text in cells.texts]
    known = [cell for cell in parsed if cell is not None]
    chosen = order or _order(cells, parsed, name)
    nat = np.datetime64("NaT", "D")
    days = [
        nat if cell is None or chosen not in cell.days else np.datetime64(cell.days[chosen], "D")
        for cell in parsed
    ]
    doubtful = any(not cell.certain for cell in known)
    convention = (
        ORDER_NAMES[chosen] if doubtful else ", ".join(sorted({cell.kind for cell in known})[:3])
    )
    return cells.spread(days, "datetime64[D]", nat), convention


def _order(cells: Coded, parsed: Sequence[DateCell | None], name: str) -> Order:
    known = [cell for cell in parsed if cell is not None]
    orders = order_of(known)
    if not orders:
        orders, known = _usual_order(known)
    if len(orders) == 1 or all(cell.certain for cell in known):
        return next(iter(sorted(orders)), "ymd")
    if not orders:
        return _contradiction(cells, parsed, name)
    if len({tuple(cell.days[order] for cell in known) for order in orders}) == 1:
        return min(orders)
    index = next(i for i, cell in enumerate(parsed) if cell is not None and not cell.certain)
    cell = parsed[index]
    assert cell is not None
    readings = " or ".join(sorted({f"{cell.days[order]}" for order in orders}))
    raise TableError(
        f"{name} can be read as {readings}: no cell of the column tells which",
        line=cells.line_of(index),
        cell=cells.texts[index],
        remedy="name the order: POKEWATCH_FILE_DATES=dmy or mdy, or write days like 2025-10-22",
    )


def _usual_order(known: list[DateCell]) -> tuple[frozenset[Order], list[DateCell]]:
    """Return the order that nearly all unambiguous cells have, and the cells it reads.

    The set is empty where the cells differ.
    """
    counts = Counter(next(iter(cell.days)) for cell in known if len(cell.days) == 1)
    (usual, most), *_ = counts.most_common()
    if (counts.total() - most) * STRAY > most:
        return frozenset(), known
    return frozenset({usual}), [cell for cell in known if usual in cell.days]


def _contradiction(cells: Coded, parsed: Sequence[DateCell | None], name: str) -> Order:
    first: dict[frozenset[str], int] = {}
    for index, cell in enumerate(parsed):
        if cell is not None and not cell.certain:
            first.setdefault(frozenset(cell.days), index)
    one, other = sorted((i for key, i in first.items() if len(key) == 1))[:2]
    raise TableError(
        f"{name} is written in two orders: {cells.texts[one]!r} and "
        f"{cells.texts[other]!r} (line {cells.line_of(other)})",
        line=cells.line_of(one),
        remedy="write days like 2025-10-22, or split the file",
    )
