"""Quality checks of single rows of prices. Rows that fail go to quarantine with the reason.

Separate from `days`: pandera and pandas take seconds to import, and only collecting needs them.
"""

import json
import math
from collections import Counter
from datetime import date
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.compute as pc
from pandera.errors import SchemaErrors

from pokewatch.market.prices import CARD_ID_PATTERN, CURRENCIES, PRICE_COLUMNS, PRICE_SCHEMA
from pokewatch.market.sources import REJECTED_SCHEMA

_DUPLICATE = "another row has the same card and date"
# Prices of listings that TCGplayer shows where there are none.
_NONE_LISTED = {"low_price": (99_999.0, 99_999.99), "high_price": (999.0, 999.99)}
_FAR = math.log(3.0)  # a factor of 3
_ASKS = ("low_price", "mid_price", "high_price")


def clean_rows(prices: pa.Table) -> tuple[pa.Table, Counter[str]]:
    """Merge identical rows and remove asks that stand for "none listed"; count both by reason.

    A low, mid or high price of 0 becomes null, as do a low of 99,999 and a high of 999 that are
    far from the market price.
    """
    changes: Counter[str] = Counter()
    for name in _ASKS:
        column = prices[name]
        none = pc.fill_null(pc.equal(column, 0.0), False)
        changes[f"{name} is 0, not a price: left empty"] += int(pc.sum(none).as_py() or 0)
        for price in _NONE_LISTED.get(name, ()):
            far = pc.greater(pc.abs(pc.ln(pc.divide(price, prices["market_price"]))), _FAR)
            sentinel = pc.and_(pc.equal(column, price), pc.fill_null(far, True))
            sentinel = pc.fill_null(sentinel, False)
            reason = f"{name} is {price:,.10g}, which means none listed: left empty"
            changes[reason] += int(pc.sum(sentinel).as_py() or 0)
            none = pc.or_(none, sentinel)
        at = PRICE_SCHEMA.get_field_index(name)
        cleaned = pc.if_else(none, pa.scalar(None, pa.float64()), column)
        prices = prices.set_column(at, PRICE_SCHEMA.field(name), cleaned)
    repeated = _identical(prices)
    changes["identical rows were merged"] += int(repeated.sum())
    return prices.filter(pa.array(~repeated)), +changes


def split_rows(prices: pa.Table, max_price: float, today: date) -> tuple[pa.Table, pa.Table]:
    """Split `prices` (PRICE_SCHEMA) into valid rows and rejected ones (REJECTED_SCHEMA).

    Of several rows with the same card and date, the first valid one is used.
    """
    reasons = _reasons(prices, max_price, today)
    valid = np.ones(prices.num_rows, dtype=bool)
    valid[list(reasons)] = False
    candidates = np.flatnonzero(valid)
    for index in candidates[_repeated(prices.take(pa.array(candidates)))]:
        valid[index] = False
        reasons[int(index)] = [_DUPLICATE]
    return prices.filter(pa.array(valid)), _rejections(prices, reasons)


@cache
def _row_schema(max_price: float, today: date) -> pandera.DataFrameSchema:
    priced = [
        pandera.Check.gt(0, error="is not positive"),
        pandera.Check.le(max_price, error=f"is not a price up to {max_price:,.0f}"),
    ]
    columns = {name: pandera.Column(float, priced, nullable=True) for name in PRICE_COLUMNS}
    columns["card_id"] = pandera.Column(
        str, pandera.Check(_is_card_id, error=f"does not match {CARD_ID_PATTERN}")
    )
    columns["date"] = pandera.Column(
        "datetime64[s]", pandera.Check.le(pd.Timestamp(today), error=f"is after {today}")
    )
    columns["currency"] = pandera.Column(
        str, pandera.Check.isin(CURRENCIES, error=f"is not {' or '.join(CURRENCIES)}")
    )
    columns["volume"] = pandera.Column(
        float, pandera.Check.ge(0, error="is negative"), nullable=True
    )
    return pandera.DataFrameSchema(columns)


def _is_card_id(ids: "pd.Series[str]") -> "pd.Series[bool]":
    """Match with Arrow, whose `$` does not allow a line break at the end, as Python's does."""
    fits = pc.match_substring_regex(pa.array(ids, pa.string(), from_pandas=True), CARD_ID_PATTERN)
    return pd.Series(pc.fill_null(fits, False).to_numpy(zero_copy_only=False), index=ids.index)


def _reasons(prices: pa.Table, max_price: float, today: date) -> dict[int, list[str]]:
    """Return why rows are rejected, by row number."""
    try:
        _row_schema(max_price, today).validate(_frame(prices), lazy=True)
    except SchemaErrors as errors:
        reasons: dict[int, list[str]] = {}
        cases = errors.failure_cases
        for index, column, check in zip(
            cases["index"], cases["column"], cases["check"], strict=True
        ):
            reason = "is missing" if check == "not_nullable" else check
            reasons.setdefault(int(index), []).append(f"{column} {reason}")
        return reasons
    return {}


def _frame(prices: pa.Table) -> pd.DataFrame:
    """Return the checked columns. NaN, which pandas reads as null, becomes infinite and fails."""
    columns = {name: prices[name] for name in ("card_id", "currency")}
    columns["date"] = prices["date"].cast(pa.timestamp("s"))
    columns["volume"] = prices["volume"].cast(pa.float64())
    for name in PRICE_COLUMNS:
        columns[name] = pc.if_else(pc.is_nan(prices[name]), float("inf"), prices[name])
    frame: pd.DataFrame = pa.table(columns).to_pandas()
    return frame


def _repeated(prices: pa.Table) -> npt.NDArray[np.bool_]:
    """Mark the rows with the card and date of an earlier row."""
    keys = (
        prices.select(["card_id", "date"])
        .set_column(1, "date", prices["date"].cast(pa.int32()))
        .to_pandas()
    )
    return np.asarray(keys.duplicated(), dtype=np.bool_)


def _identical(prices: pa.Table) -> npt.NDArray[np.bool_]:
    """Mark the rows that are identical to an earlier row, the time of observation aside."""
    repeated = _repeated(prices)
    if not repeated.any():
        return repeated
    frame = prices.drop_columns(["observed_at"]).to_pandas()
    return np.asarray(frame.duplicated(), dtype=np.bool_)


def _rejections(prices: pa.Table, reasons: dict[int, list[str]]) -> pa.Table:
    indices = sorted(reasons)
    rows = prices.take(pa.array(indices, pa.int64())).to_pylist()
    return pa.table(
        {
            "date": [row["date"] for row in rows],
            "card_id": [row["card_id"] for row in rows],
            "row": [json.dumps(row, default=str) for row in rows],
            "reason": ["; ".join(reasons[index]) for index in indices],
        },
        schema=REJECTED_SCHEMA,
    )
