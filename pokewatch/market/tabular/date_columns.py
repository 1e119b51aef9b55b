"""Columns of dates and times as moments in UTC.

The order of day and month is found from the whole column.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.market.tabular.cells import Coded, Reasons, coded, is_number, plain_texts
from pokewatch.market.tabular.dates import (
    ORDER_NAMES,
    YEAR_FIRST,
    DateCell,
    Order,
    has_time,
    order_of,
    parse_date,
    parse_time,
    serial_moment,
)
from pokewatch.market.tabular.numbers import STRAY, is_placeholder
from pokewatch.market.tabular.sheet import TableError

Moments = NDArray[np.datetime64]
IsGood = Callable[[DateCell], bool]
_MONTHS = 12
_LEAST_EXCHANGED = 3  # dates, and texts, that are hardly so by chance
_NAT = np.datetime64("NaT", "us")


@dataclass(slots=True)
class Days:
    """UTC days [m], NaT where none; rows refused, by reason.

    `moments` order the rows of a day: midnight where no time is known. `unclear` are the rows with
    a time of day that cannot be read.
    """

    values: NDArray[np.datetime64]
    moments: Moments
    unclear: NDArray[np.bool_]
    refused: Reasons
    convention: str = ""


def read_days(
    column: pa.ChunkedArray,
    line: NDArray[np.int64],
    name: str,
    order: Order | None,
    first: date,
    last: date,
    times: pa.ChunkedArray | None,
) -> Days:
    """Return the column as days between `first` and `last`; `times` is a column of times of day.

    A point in time with a zone is its UTC day; without one, the day as written. Raise TableError
    where the order of day and month cannot be inferred from the column, or differs within it.
    """
    moments, convention = _typed_moments(column), ""
    if moments is None:
        moments, convention = _text_moments(coded(column, line), name, order)
    within, unclear = moments, np.zeros(len(moments), dtype=np.bool_)
    if times is not None:
        texts = coded(pa.chunked_array([plain_texts(times)]), line)
        moments, within, unclear = _with_times(texts, moments, _timed(column, line, moments))
    days = moments.astype("datetime64[D]")
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
        within,
        unclear,
        {why: rows for why, rows in refused.items() if rows.any()},
        convention,
    )


def _blank(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    blank = pc.equal(pc.utf8_trim_whitespace(column), "").fill_null(True)
    return np.asarray(blank.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _timed(column: pa.ChunkedArray, line: NDArray[np.int64], moments: Moments) -> NDArray[np.bool_]:
    """Return which rows have a day with a time of its own, midnight in its zone aside."""
    if pa.types.is_timestamp(column.type):
        local = pc.local_timestamp(column) if column.type.tz else column
        moments = local.cast(pa.timestamp("us"), safe=False).to_numpy(zero_copy_only=False)
    elif not (pa.types.is_date(column.type) or is_number(column.type)):
        cells = coded(column, line)
        return cells.spread([has_time(text) for text in cells.texts], np.bool_, False)
    return np.asarray(moments != moments.astype("datetime64[D]"))


def _with_times(
    cells: Coded, moments: Moments, timed: NDArray[np.bool_]
) -> tuple[Moments, Moments, NDArray[np.bool_]]:
    """Return the moments at the times of day, those that order rows, and where none is known.

    A time beside a `timed` moment is not added to it: it repeats its time, or only orders rows of
    the same moment. A cell that holds a day as well orders the rows of a day, but does not tell it.
    """
    midnight = np.timedelta64(0, "us")
    times = [parse_time(text) for text in cells.texts]
    dates = [parse_date(text) for text in cells.texts]
    since = [midnight if time is None else np.timedelta64(time, "us") for time in times]
    stamps = [
        _NAT if time is not None or stamp is None else _numpy(next(iter(stamp.moments.values())))
        for time, stamp in zip(times, dates, strict=True)
    ]
    neither = [
        time is None and stamp is None and not is_placeholder(text)
        for text, time, stamp in zip(cells.texts, times, dates, strict=True)
    ]
    if all(neither):  # the column does not hold times
        neither = [False] * len(neither)
    spread = cells.spread(since, "timedelta64[us]", midnight)
    moments = np.where(timed, moments, moments + spread)
    stamped = cells.spread(stamps, "datetime64[us]", _NAT)
    # Under a tenth of a second: less than lies between two moments of quotes.
    ordered = moments + np.where(timed, spread // 1_000_000, midnight)
    ordered = np.where(np.isnat(stamped), ordered, stamped)
    return moments, ordered, cells.spread(neither, np.bool_, False) & ~timed


def _numpy(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def _typed_moments(column: pa.ChunkedArray) -> Moments | None:
    kind = column.type
    if pa.types.is_date(kind):
        days = column.cast(pa.date32()).to_numpy(zero_copy_only=False)
        return np.asarray(days, dtype="datetime64[us]")
    if pa.types.is_timestamp(kind):
        # The value stored is the point in time in UTC, whatever the zone it is shown in.
        zone = "UTC" if kind.tz else None
        moments = column.cast(pa.timestamp("us", zone), safe=False).to_numpy(zero_copy_only=False)
        return np.asarray(moments, dtype="datetime64[us]")
    if is_number(kind):
        return _counted_moments(column)
    return None


def _counted_moments(column: pa.ChunkedArray) -> Moments:
    """Return the moments of Excel's serial numbers, or of (milli-, micro-) seconds since 1970."""
    known = {
        value: _counted_moment(value)
        for value in pc.unique(column).to_pylist()
        if value is not None
    }
    moments = [
        _numpy(found) if (found := known.get(value)) else _NAT for value in column.to_pylist()
    ]
    return np.asarray(moments, dtype="datetime64[us]")


def _counted_moment(value: float) -> datetime | None:
    if not math.isfinite(value):
        return None
    found = serial_moment(value)
    if found is not None:
        return found
    cell = parse_date(str(int(value)))
    return next(iter(cell.moments.values())) if cell is not None else None


def _text_moments(cells: Coded, name: str, order: Order | None) -> tuple[Moments, str]:
    parsed = [parse_date(text) for text in cells.texts]
    if order is None:
        _check_exchanged(cells, parsed, name)
        parsed = _without_strays(cells, parsed)
    known = [cell for cell in parsed if cell is not None]
    chosen = order or _order(cells, parsed, name)
    moments = [
        _NAT if cell is None or chosen not in cell.moments else _numpy(cell.moments[chosen])
        for cell in parsed
    ]
    doubtful = any(not cell.certain for cell in known)
    convention = (
        ORDER_NAMES[chosen] if doubtful else ", ".join(sorted({cell.kind for cell in known})[:3])
    )
    return cells.spread(moments, "datetime64[us]", _NAT), convention


def _order(cells: Coded, parsed: Sequence[DateCell | None], name: str) -> Order:
    known = [cell for cell in parsed if cell is not None]
    orders = order_of(known)
    if len(orders) == 1 or all(cell.certain for cell in known):
        return next(iter(sorted(orders)), "ymd")
    if not orders:
        return _contradiction(cells, parsed, name)
    if len({tuple(cell.moments[order] for cell in known) for order in orders}) == 1:
        return min(orders)
    readings = [
        sorted({f"{cell.moments[order].date()}" for order in orders} if cell else ())
        for cell in parsed
    ]
    index = next(at for at, days in enumerate(readings) if len(days) > 1)
    raise TableError(
        f"{name} can be read as {' or '.join(readings[index])}: no cell of the column tells which",
        line=cells.line_of(index),
        cell=cells.texts[index],
        remedy=f"name the order: POKEWATCH_FILE_DATES={' or '.join(sorted(orders))}, or write "
        "days like 2025-10-22",
    )


def _check_exchanged(cells: Coded, parsed: Sequence[DateCell | None], name: str) -> None:
    """Raise TableError where a spreadsheet has taken days up to the 12th for months.

    It makes dates of those alone, and leaves those after the 12th as text such as 26/09/2026.
    """
    dates = [cell for cell in parsed if cell is not None and cell.kind == YEAR_FIRST]
    texts = [at for at, cell in enumerate(parsed) if cell is not None and not cell.certain]
    clear = all(len(cell.moments) == 1 for at in texts if (cell := parsed[at]) is not None)
    early = all(next(iter(cell.moments.values())).day <= _MONTHS for cell in dates)
    if clear and early and min(len(dates), len(texts)) >= _LEAST_EXCHANGED:
        raise TableError(
            f"{name} holds dates of days 1 to {_MONTHS} alone, and all later days as text: a "
            "spreadsheet has exchanged the day and month of those dates",
            line=cells.line_of(texts[0]),
            cell=cells.texts[texts[0]],
            remedy="export the table again with days like 2025-10-22, or, if its dates are right, "
            "name the order of the text: POKEWATCH_FILE_DATES=dmy or mdy",
        )


def _without_strays(cells: Coded, parsed: Sequence[DateCell | None]) -> list[DateCell | None]:
    """Return the dates without those of few rows, at most one in fifty, that are errors."""
    rows = np.bincount(cells.code[cells.code >= 0], minlength=len(parsed)).tolist()
    dates = [(cell, count) for cell, count in zip(parsed, rows, strict=True) if cell is not None]
    orders = order_of(cell for cell, _ in dates)
    is_good = _same_under(orders, dates) if orders else _in_usual_order(dates)
    return [cell if cell is not None and is_good(cell) else None for cell in parsed]


def _same_under(orders: frozenset[Order], dates: Sequence[tuple[DateCell, int]]) -> IsGood:
    """Return whether `orders` read a date as one day; any date is good if many are not."""

    def is_same(cell: DateCell) -> bool:
        return len({cell.moments[order] for order in orders}) == 1

    same = sum(count for cell, count in dates if is_same(cell))
    others = sum(count for _, count in dates) - same
    return is_same if others * STRAY <= same else lambda _: True


def _in_usual_order(dates: Sequence[tuple[DateCell, int]]) -> IsGood:
    """Return whether a date can be read in the order of nearly all; any is good without one.

    The order is found from the dates that only one order reads.
    """
    counts = Counter[Order]()
    for cell, count in dates:
        if len(cell.moments) == 1:
            counts[next(iter(cell.moments))] += count
    if not counts:
        return lambda _: True
    usual, most = counts.most_common(1)[0]
    few = (counts.total() - most) * STRAY <= most
    return lambda cell: not few or usual in cell.moments


def _contradiction(cells: Coded, parsed: Sequence[DateCell | None], name: str) -> Order:
    first: dict[frozenset[str], int] = {}
    for index, cell in enumerate(parsed):
        if cell is not None and not cell.certain:
            first.setdefault(frozenset(cell.moments), index)
    one, other = sorted((i for key, i in first.items() if len(key) == 1))[:2]
    raise TableError(
        f"{name} is written in two orders: {cells.texts[one]!r} and "
        f"{cells.texts[other]!r} (line {cells.line_of(other)})",
        line=cells.line_of(one),
        remedy="write days like 2025-10-22, or split the file",
    )
