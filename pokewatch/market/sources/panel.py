"""Parsing a user-supplied table into price rows, card rows and rejected rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pokewatch.market.catalog import CARD_SCHEMA, slugify
from pokewatch.market.merge import preferred_slug
from pokewatch.market.prices import CARD_ID_PATTERN, PRICE_COLUMNS, PRICE_SCHEMA
from pokewatch.market.sources import REJECTED_SCHEMA

FIRST_DAY = date(1996, 1, 1)  # no Pokémon card is older
ALIASES: Mapping[str, tuple[str, ...]] = {
    "card_id": ("card_id", "card", "id", "sku"),
    "date": ("date", "day"),
    "market_price": ("market_price", "price", "market", "marketprice", "trend", "trend_price"),
    "low_price": ("low_price", "low", "lowprice"),
    "mid_price": ("mid_price", "mid", "midprice"),
    "high_price": ("high_price", "high", "highprice"),
    "volume": ("volume", "sales"),
    "currency": ("currency",),
    "name": ("name", "card_name", "product_name"),
    "set_id": ("set_id", "set_code"),
    "set_name": ("set_name", "set"),
    "number": ("number", "card_number"),
    "rarity": ("rarity",),
    "printing": ("printing", "sub_type", "subtypename", "variant", "finish"),
    "released": ("released", "release_date", "set_release_date"),
    "image_url": ("image_url", "image"),
}
NEEDED = ("card_id", "date", "market_price")
_TEXTS = ("name", "set_id", "set_name", "number", "rarity", "printing", "image_url")
_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?\s*$"
_ISO_DAY = r"^\d{4}-\d{2}-\d{2}([T ].*)?$"


@dataclass(frozen=True)
class SourcePanel:
    """Price rows sorted by date and card, rejected rows, and cards."""

    prices: pa.Table  # PRICE_SCHEMA
    rejected: pa.Table  # REJECTED_SCHEMA
    cards: pa.Table  # CARD_SCHEMA


def named_columns(names: list[str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the column of each field: the one in `given`, or one with a usual name.

    Raise ValueError for a given column that is absent or a required field without a column.
    """
    plain = {slugify(name): name for name in reversed(names)}
    found = {
        field: next((plain[alias] for alias in aliases if alias in plain), None)
        for field, aliases in ALIASES.items()
    }
    for field, name in given.items():
        if name not in names:
            raise ValueError(
                f"there is no column {name!r} for {field}; the columns are {', '.join(names)}"
            )
        found[field] = name
    columns = {field: name for field, name in found.items() if name is not None}
    for field in NEEDED:
        if field not in columns:
            raise ValueError(
                f"no column for {field}; the columns are {', '.join(names)}. "
                f"Set the column with POKEWATCH_FILE_COLUMNS={field}=..."
            )
    return columns


def read_panel(
    table: pa.Table, source: str, currency: str, today: date, observed_at: datetime
) -> SourcePanel:
    """Parse `table`, its columns named by `ALIASES`; reject rows with unreadable cells."""
    faults = _Faults(table)
    ids = _card_ids(table["card_id"], faults)
    days = _days(table["date"], today, faults)
    columns = {
        name: _numbers(table[name], name, faults)
        for name in PRICE_COLUMNS
        if name in table.column_names
    }
    if "volume" in table.column_names:
        columns["volume"] = _whole(_numbers(table["volume"], "volume", faults), faults)
    good = pa.array(~faults.bad)
    count = table.num_rows
    prices = {"card_id": ids, "date": days, **columns, "currency": _currencies(table, currency)}
    prices |= {
        "source": pa.repeat(source, count),
        "observed_at": pa.repeat(pa.scalar(observed_at, pa.timestamp("us", tz="UTC")), count),
    }
    order = [("date", "ascending"), ("card_id", "ascending")]
    rows = pa.table(
        {
            name: prices.get(name, pa.nulls(count, PRICE_SCHEMA.field(name).type))
            for name in PRICE_SCHEMA.names
        }
    )
    described = {
        name: _text(table[name]) for name in (*_TEXTS, "released") if name in table.column_names
    }
    described |= {"raw_id": _text(table["card_id"]), "card_id": ids, "date": days}
    return SourcePanel(
        rows.filter(good).cast(PRICE_SCHEMA).sort_by(order),
        faults.rows(days),
        _cards(pa.table(described).filter(good).sort_by(order)),
    )


class _Faults:
    """The faults of rows."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self.bad = np.zeros(table.num_rows, dtype=bool)
        self._reasons: list[tuple[npt.NDArray[np.int64], str]] = []

    def add(self, bad: pa.ChunkedArray, reason: str) -> None:
        rows = np.flatnonzero(
            bad.to_numpy(zero_copy_only=False) if isinstance(bad, pa.Array) else bad.to_numpy()
        )
        self._reasons.append((rows, reason))
        self.bad[rows] = True

    def rows(self, days: pa.ChunkedArray) -> pa.Table:
        reasons: dict[int, list[str]] = {}
        for rows, reason in self._reasons:
            for row in rows:
                reasons.setdefault(int(row), []).append(reason)
        order = sorted(reasons)
        raw = self._table.take(pa.array(order, pa.int64())).to_pylist()
        table = {
            "date": days.take(pa.array(order, pa.int64())),
            "card_id": [None if row["card_id"] is None else str(row["card_id"]) for row in raw],
            "row": [json.dumps(row, default=str) for row in raw],
            "reason": ["; ".join(reasons[row]) for row in order],
        }
        return pa.table(table, schema=REJECTED_SCHEMA)


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string())


def _card_ids(column: pa.ChunkedArray, faults: _Faults) -> pa.ChunkedArray:
    """Return the ids that match CARD_ID_PATTERN unchanged, the others as slugs."""
    texts = _text(column)
    faults.add(pc.is_null(texts), "card_id is missing")
    known = pc.unique(texts).drop_null()
    plain = pc.match_substring_regex(known, CARD_ID_PATTERN).to_pylist()
    made: dict[str, str] = {
        text: text for text, fits in zip(known.to_pylist(), plain, strict=True) if fits
    }
    taken = set(made)
    unusable: list[str] = []
    doubles: list[str] = []
    for text in known.to_pylist():
        if text in made:
            continue
        slug = slugify(text, "-")[:80].rstrip("-")
        if not slug:
            unusable.append(text)
        elif slug in taken:
            doubles.append(text)
        taken.add(slug)
        made[text] = slug
    faults.add(
        pc.is_in(texts, value_set=pa.array(unusable, pa.string())), "card_id has no letter or digit"
    )
    faults.add(
        pc.is_in(texts, value_set=pa.array(doubles, pa.string())),
        "card_id, in lower-case letters and digits, is that of another card",
    )
    slugs = pa.array([made[text] for text in known.to_pylist()], pa.string())
    return slugs.take(
        pc.index_in(
            texts, value_set=known.combine_chunks() if isinstance(known, pa.ChunkedArray) else known
        )
    )


def _days(column: pa.ChunkedArray, today: date, faults: _Faults) -> pa.ChunkedArray:
    """Return the UTC days of dates, timestamps or texts that begin with an ISO date."""
    kind = column.type
    if pa.types.is_date(kind):
        days = column.cast(pa.date32())
    elif pa.types.is_timestamp(kind):
        days = (
            pc.floor_temporal(column, unit="day")
            .cast(pa.timestamp("s", tz=kind.tz))
            .cast(pa.timestamp("s"))
            .cast(pa.date32())
        )
    else:
        days = _days_of_text(_text(column))
    faults.add(pc.is_null(days), "date is not a day like 2025-10-22")
    outside = pc.or_(pc.less(days, pa.scalar(FIRST_DAY)), pc.greater(days, pa.scalar(today)))
    faults.add(pc.fill_null(outside, False), f"date is not between {FIRST_DAY} and {today}")
    return pc.if_else(pc.fill_null(outside, False), pa.scalar(None, pa.date32()), days)


def _days_of_text(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return null for a text that does not begin with a calendar day."""
    begins = pc.utf8_slice_codeunits(pc.utf8_trim_whitespace(texts), 0, 10)
    shaped = pc.match_substring_regex(texts, _ISO_DAY)
    parsed = pc.strptime(begins, format="%Y-%m-%d", unit="s", error_is_null=True)
    exact = pc.equal(
        pc.strftime(parsed, format="%Y-%m-%d"), begins
    )  # strptime takes 30 February for 2 March
    return pc.if_else(pc.fill_null(pc.and_(shaped, exact), False), parsed, None).cast(pa.date32())


def _numbers(column: pa.ChunkedArray, name: str, faults: _Faults) -> pa.ChunkedArray:
    """Return floats, null for an empty cell and for NaN."""
    if (
        pa.types.is_floating(column.type)
        or pa.types.is_integer(column.type)
        or pa.types.is_decimal(column.type)
    ):
        values = column.cast(pa.float64())
        return pc.if_else(pc.is_nan(values), None, values)
    texts = _text(column)
    readable = pc.match_substring_regex(texts, _NUMBER)
    faults.add(pc.fill_null(pc.invert(readable), False), f"{name} is not a number")
    return pc.if_else(readable, pc.utf8_trim_whitespace(texts), None).cast(pa.float64())


def _whole(values: pa.ChunkedArray, faults: _Faults) -> pa.ChunkedArray:
    fits = pc.and_(pc.equal(values, pc.floor(values)), pc.less(pc.abs(values), 2.0**31))
    faults.add(pc.fill_null(pc.invert(fits), False), "volume is not a whole number")
    return pc.if_else(pc.fill_null(fits, False), values, None).cast(pa.int32())


def _currencies(table: pa.Table, currency: str) -> pa.ChunkedArray:
    if "currency" not in table.column_names:
        return pa.repeat(currency, table.num_rows)
    return pc.fill_null(pc.utf8_upper(pc.utf8_trim_whitespace(_text(table["currency"]))), currency)


def _cards(described: pa.Table) -> pa.Table:
    """Return one row for each card, with the last non-empty value of each column."""
    columns = [name for name in described.column_names if name not in ("card_id", "date")]
    grouped = described.group_by("card_id", use_threads=False).aggregate(
        [(name, "last") for name in columns]
    )
    rows = []
    for last in grouped.to_pylist():
        card = {name: last.get(f"{name}_last") or None for name in _TEXTS}
        name = card["name"] or last["card_id"]
        set_name = card["set_name"] or card["set_id"] or ""
        own = {
            "card_id": last["card_id"],
            "name": name,
            "slug": preferred_slug(name, card["number"] if card["name"] else None),
        }
        own |= {
            "set_id": card["set_id"] or set_name,
            "set_name": set_name,
            "released": _day_of(last.get("released_last")),
        }
        rows.append(card | own | {"source_ids": json.dumps({"file": last["raw_id_last"]})})
    return pa.Table.from_pylist(rows, schema=CARD_SCHEMA).sort_by("card_id")


def _day_of(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
