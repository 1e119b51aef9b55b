"""Columns of numbers: every cell is read under one decimal mark, found from the whole column."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.market.tabular.cells import Coded, Reasons, coded, is_number, numbers_of
from pokewatch.market.tabular.numbers import decimal_of, is_placeholder
from pokewatch.market.tabular.sheet import TableError
from pokewatch.money import Decimal, Money, parse_money

_DIFFERENT = 5  # numbers that are hardly all whole by chance
DECIMAL_NAMES = {"point": "a decimal point", "comma": "a decimal comma"}


@dataclass(slots=True)
class Numbers:
    """Values [m], NaN where none; currencies [m] of the cells, "" where none; refused rows."""

    values: NDArray[np.float64]
    currency: NDArray[np.str_]
    refused: Reasons
    missing: NDArray[np.bool_]  # the cell says in words that there is no value
    convention: str = ""


def read_numbers(
    column: pa.ChunkedArray,
    line: NDArray[np.int64],
    name: str,
    decimal: Decimal | None,
    whole: bool,
    typed: NDArray[np.float64] | None,
) -> Numbers:
    """Return the column as numbers.

    `decimal` is the decimal mark where it is known. With `whole`, only whole numbers make sense,
    which settles "1.234". `typed` has the numbers [m] whose cells in a column of text are not read.
    Raise TableError where cells are ambiguous and nothing in the column resolves them.
    """
    rows = len(line)
    if is_number(column.type):
        given = numbers_of(column)
        bad = np.isinf(given)
        refused = {f"{name} is not a number": bad} if bad.any() else {}
        return Numbers(
            np.where(bad, np.nan, given),
            np.full(rows, ""),
            refused,
            np.zeros(rows, dtype=np.bool_),
        )
    cells = coded(_untyped(column, typed), line)
    parsed = [None if is_placeholder(text) else parse_money(text) for text in cells.texts]
    absent = [is_placeholder(text) for text in cells.texts]
    mark = decimal or _decimal(cells, parsed, name, whole)
    values = [_value(money, mark, whole) for money in parsed]
    unreadable = [value is None and not gone for value, gone in zip(values, absent, strict=True)]
    refused = (
        {f"{name} is not a number": cells.spread(unreadable, np.bool_, False)}
        if any(unreadable)
        else {}
    )
    read = cells.spread([np.nan if v is None else v for v in values], np.float64, np.nan)
    return Numbers(
        read if typed is None else np.where(np.isfinite(typed), typed, read),
        cells.spread([(money.currency or "") if money else "" for money in parsed], "<U3", ""),
        refused,
        cells.spread(absent, np.bool_, False),
        DECIMAL_NAMES[mark]
        if mark and any((money and len(money.readings) > 1) or _marked(money) for money in parsed)
        else "",
    )


def evidence_of(
    column: pa.ChunkedArray,
    line: NDArray[np.int64],
    typed: NDArray[np.float64] | None,
) -> Decimal | None:
    """Return the decimal mark that a column shows beyond doubt, None where it shows none."""
    if is_number(column.type):
        return None
    texts = coded(_untyped(column, typed), line).texts
    return decimal_of(
        money for text in texts if not is_placeholder(text) and (money := parse_money(text))
    )[0]


def _untyped(column: pa.ChunkedArray, typed: NDArray[np.float64] | None) -> pa.ChunkedArray:
    """Return the column without the cells that are `typed` as numbers."""
    if typed is None:
        return column
    return pc.if_else(pa.array(np.isfinite(typed)), None, column)


def are_whole(values: NDArray[np.float64]) -> bool:
    """Return whether all numbers are whole, and there are too many of them for chance."""
    known = np.unique(values[np.isfinite(values)])
    return len(known) >= _DIFFERENT and bool((known == np.floor(known)).all())


def _marked(money: Money | None) -> bool:
    return money is not None and (money.as_comma is None or money.as_point is None)


def _value(money: Money | None, mark: Decimal | None, whole: bool) -> float | None:
    if money is None:
        return None
    readings = money.readings
    if mark is not None and not (whole and money.value(mark) is None):
        return money.value(mark)
    if whole and len(readings) > 1:
        readings = tuple(value for value in readings if value == int(value))
    return readings[0] if len(readings) == 1 else None


def _decimal(
    cells: Coded, parsed: Sequence[Money | None], name: str, whole: bool
) -> Decimal | None:
    known = [money for money in parsed if money is not None]
    mark, differ = decimal_of(known)
    doubtful = next(
        (i for i, money in enumerate(parsed) if money is not None and len(money.readings) > 1), None
    )
    if mark is not None or doubtful is None or whole:
        return mark
    text = cells.texts[doubtful]
    readings = " or ".join(f"{value:g}" for value in sorted(parsed[doubtful].readings))  # type: ignore[union-attr]
    both = (
        "the column has decimal points and decimal commas"
        if differ
        else "no cell of the column tells which"
    )
    raise TableError(
        f"{name} can be read as {readings}: {both}",
        line=cells.line_of(doubtful),
        cell=text,
        remedy="name the decimal mark: POKEWATCH_FILE_DECIMAL=point or comma",
    )
