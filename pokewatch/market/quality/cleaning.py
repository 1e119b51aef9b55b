"""Values and repeated rows that are removed at no cost to the rest of their row or day.

Separate from `rows`, whose pandera takes seconds to import.
"""

import math
from collections import Counter
from collections.abc import Iterator
from functools import reduce
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pokewatch.market.prices import PRICE_COLUMNS, PRICE_SCHEMA

# Prices of listings that TCGplayer shows where there are none.
_NONE_LISTED = {"low_price": (99_999.0, 99_999.99), "high_price": (999.0, 999.99)}
_FAR = math.log(3.0)  # a factor of 3
_ASKS = ("low_price", "mid_price", "high_price")
_EXCHANGED = "low, mid and high price are not in this order: left empty"


def clean_rows(prices: pa.Table, max_price: float) -> tuple[pa.Table, Counter[str]]:
    """Merge identical rows and remove values that a row need not have; count both by reason.

    A low, mid or high price of 0 becomes null, as do a low of 99,999 and a high of 999 that are
    far from the market price, all three if they are not in this order, any price but the market
    price that is not above 0 and up to `max_price`, and a negative number of sales.
    """
    changes: Counter[str] = Counter()
    for name in PRICE_COLUMNS:
        if name == "market_price":
            continue
        for reason, rows in _faults(prices, name, max_price):
            prices, changes[reason] = _without(prices, name, rows)
    exchanged = _exchanged(prices)
    for name in _ASKS:
        prices, changes[_EXCHANGED] = _without(prices, name, exchanged)
    negative = pc.less(prices["volume"], 0)
    prices, changes["volume is not a number of sales: left empty"] = _without(
        prices, "volume", negative
    )
    repeated = _identical(prices)
    changes["identical rows were merged"] += int(repeated.sum())
    return prices.filter(pa.array(~repeated)), +changes


def too_high(prices: pa.Table, max_price: float) -> pa.ChunkedArray:
    """Return which rows have a market price above `max_price`."""
    return pc.fill_null(pc.greater(prices["market_price"], max_price), False)


def repeated_rows(prices: pa.Table) -> npt.NDArray[np.bool_]:
    """Mark the rows with the card and date of an earlier row."""
    keys = (
        prices.select(["card_id", "date"])
        .set_column(1, "date", prices["date"].cast(pa.int32()))
        .to_pandas()
    )
    return np.asarray(keys.duplicated(), dtype=np.bool_)


def _faults(prices: pa.Table, name: str, max_price: float) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Yield why values of a price are removed, and the rows that have them."""
    column = prices[name]
    is_price = pc.and_(pc.greater(column, 0.0), pc.less_equal(column, max_price))
    wrong = pc.invert(is_price)
    if name in _ASKS:
        none = pc.equal(column, 0.0)
        yield f"{name} is 0, not a price: left empty", none
        wrong = pc.and_not(wrong, none)
    for price in _NONE_LISTED.get(name, ()):
        far = pc.greater(pc.abs(pc.ln(pc.divide(price, prices["market_price"]))), _FAR)
        sentinel = pc.and_(pc.equal(column, price), pc.fill_null(far, True))
        yield f"{name} is {price:,.10g}, which means none listed: left empty", sentinel
        wrong = pc.and_not(wrong, sentinel)
    yield f"{name} is not a price up to {max_price:,.0f}: left empty", wrong


def _exchanged(prices: pa.Table) -> pa.ChunkedArray:
    """Return which rows have a low price above mid or high, or mid above high, as no source has."""
    pairs = combinations((prices[name] for name in _ASKS), 2)
    return reduce(pc.or_, (pc.fill_null(pc.greater(low, high), False) for low, high in pairs))


def _without(prices: pa.Table, name: str, rows: pa.ChunkedArray) -> tuple[pa.Table, int]:
    """Return `prices` without the values of `rows` in a column, and how many there were."""
    rows = pc.fill_null(rows, False)
    field = PRICE_SCHEMA.field(name)
    cleaned = pc.if_else(rows, pa.scalar(None, field.type), prices[name])
    at = prices.schema.get_field_index(name)
    return prices.set_column(at, field, cleaned), int(pc.sum(rows).as_py() or 0)


def _identical(prices: pa.Table) -> npt.NDArray[np.bool_]:
    """Mark the rows that are identical to an earlier row, the time of observation aside."""
    repeated = repeated_rows(prices)
    if not repeated.any():
        return repeated
    frame = prices.drop_columns(["observed_at"]).to_pandas()
    return np.asarray(frame.duplicated(), dtype=np.bool_)
