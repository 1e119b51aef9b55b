"""Quality checks of single rows of prices. Rows that fail go to quarantine with the reason.

Separate from `days`: pandera and pandas take seconds to import, and only collecting needs them.
"""

import json
from datetime import date
from functools import cache

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.compute as pc
from pandera.errors import SchemaErrors

from pokewatch.market.prices import CARD_ID_PATTERN, CURRENCIES
from pokewatch.market.quality.cleaning import repeated_rows
from pokewatch.market.sources import REJECTED_SCHEMA

_DUPLICATE = "another row has the same card and date"


def split_rows(prices: pa.Table, max_price: float, today: date) -> tuple[pa.Table, pa.Table]:
    """Split cleaned `prices` (PRICE_SCHEMA) into valid rows and rejected ones (REJECTED_SCHEMA).

    Of several rows with the same card and date, the first valid one is used.
    """
    reasons = _reasons(prices, max_price, today)
    valid = np.ones(prices.num_rows, dtype=bool)
    valid[list(reasons)] = False
    candidates = np.flatnonzero(valid)
    for index in candidates[repeated_rows(prices.take(pa.array(candidates)))]:
        valid[index] = False
        reasons[int(index)] = [_DUPLICATE]
    return prices.filter(pa.array(valid)), _rejections(prices, reasons)


@cache
def _row_schema(max_price: float, today: date) -> pandera.DataFrameSchema:
    priced = [
        pandera.Check.gt(0, error="is not positive"),
        pandera.Check.le(max_price, error=f"is not a price up to {max_price:,.0f}"),
    ]
    columns = {"market_price": pandera.Column(float, priced, nullable=True)}
    columns["card_id"] = pandera.Column(
        str, pandera.Check(_is_card_id, error=f"does not match {CARD_ID_PATTERN}")
    )
    columns["date"] = pandera.Column(
        "datetime64[s]", pandera.Check.le(pd.Timestamp(today), error=f"is after {today}")
    )
    columns["currency"] = pandera.Column(
        str, pandera.Check.isin(CURRENCIES, error=f"is not {' or '.join(CURRENCIES)}")
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
    market = prices["market_price"]
    columns["market_price"] = pc.if_else(pc.is_nan(market), float("inf"), market)
    frame: pd.DataFrame = pa.table(columns).to_pandas()
    return frame


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
