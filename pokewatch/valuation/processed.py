"""Processed prices: the part of a lake that valuation uses, one row per card.

    <folder>/bucket-007.arrow    Arrow IPC (zstd): the card's set, rarity, printing, release date,
                                 currency and daily prices

Cards are put into buckets by their id, so the bytes of a file do not depend on the number of
shards, and one version (the folder's content hash) identifies one panel. Buckets are of about equal
size, and larger markets have more of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.errors import ValuationError
from pokewatch.market.lake import Lake
from pokewatch.valuation.book.layout import numbers
from pokewatch.valuation.cent_prices import PriceColumns
from pokewatch.valuation.lake_cards import CARD_TEXTS, date_values, shard_cards
from pokewatch.valuation.panel import Bools, Dates, Floats, Panel, Prices, Strings, fresh_quotes

_DAILY = {
    "market": "market_price",
    "low": "low_price",
    "mid": "mid_price",
    "avg7": "avg7_price",
    "avg30": "avg30_price",
    "stale": "stale_days",
}
_COLUMNS = ["card_id", *_DAILY.values(), "volume", "currency"]


def process(
    lake: Lake,
    start: date,
    end: date,
    shard: int,
    shards: int,
    folder: Path,
    changed: date | None = None,
) -> list[Path]:
    """Write the buckets b with b % shards == shard and return the files written.

    They hold the days from `start` to `end`, inclusive, and `changed` of `Panel`. Cards without a
    price in those days are left out. Raise ValuationError if the lake has no prices in them,
    ValueError for a shard outside 0..shards - 1 or an `end` before `start`.
    """
    if not 0 <= shard < shards:
        raise ValueError(f"shard must be within 0..{shards - 1}, got {shard}")
    if end < start:
        raise ValueError(f"end must not be before start, got {start} to {end}")
    cards = shard_cards(lake, start, end, shard, shards)
    prices = _read_lake(lake, start, end, cards.card_id)
    span = {"start": start.isoformat(), "end": end.isoformat()}
    if changed:
        span["changed"] = changed.isoformat()
    written = []
    for number in np.unique(cards.bucket).tolist():
        rows = np.flatnonzero((cards.bucket == number) & prices.known)
        if len(rows):
            path = folder / f"bucket-{number:03d}.arrow"
            _write(path, _bucket_table(prices, rows, cards.texts, cards.released, span))
            written.append(path)
    return written


def read_processed(folder: Path) -> Panel:
    """Return the panel of all buckets in `folder`.

    Raise ValuationError if they are missing, damaged or of different days.
    """
    paths = _bucket_paths(folder)
    tables = [_read(path, ["card_id", *CARD_TEXTS, "released", "currency"]) for path in paths]
    spans = {
        tuple(
            table.schema.metadata.get(name, b"").decode() for name in (b"start", b"end", b"changed")
        )
        for table in tables
    }
    if len(spans) > 1:
        raise ValuationError(f"the processed prices in {folder} are of different days")
    start, end, changed = spans.pop()
    dates = np.arange(np.datetime64(start, "D"), np.datetime64(end, "D") + 1)
    texts = {name: _texts(tables, name) for name in ("card_id", *CARD_TEXTS, "currency")}
    order = np.argsort(texts["card_id"], kind="stable")
    released = np.concatenate([date_values(table["released"]) for table in tables])
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    prices, traded = _read_prices(paths, rank, len(dates))
    if "market" not in prices:
        raise ValuationError(f"the processed prices in {folder} have no market price")
    return Panel(
        card_id=texts["card_id"][order],
        dates=dates,
        market=prices["market"],
        fresh=fresh_quotes(prices["market"], traded, prices.get("stale")),
        low=prices.get("low"),
        mid=prices.get("mid"),
        set_id=texts["set_id"][order],
        rarity=texts["rarity"][order],
        printing=texts["printing"][order],
        released=released[order],
        currency=texts["currency"][order],
        stale=prices.get("stale"),
        avg7=prices.get("avg7"),
        avg30=prices.get("avg30"),
        changed=date.fromisoformat(changed) if changed else None,
    )


def read_quoted_days(folder: Path) -> Bools:
    """Return on which days any card in `folder` has a market price. Raise ValuationError."""
    found = [_read(path, ["market"])["market"] for path in _bucket_paths(folder)]
    days = [np.isfinite(_days_by_cards(each, each.type.list_size)).any(axis=1) for each in found]
    quoted: Bools = np.logical_or.reduce(days)
    return quoted


@dataclass(frozen=True, slots=True)
class _Prices:
    """Prices [d, n] as stored in the lake; `traded` [d, n] marks days with a reported sale."""

    card_id: Strings
    dates: Dates
    columns: dict[str, Floats]
    traded: Bools
    currency: Strings
    known: Bools  # [n]: cards with a market price on any day


def _read_lake(lake: Lake, start: date, end: date, card_id: Strings) -> _Prices:
    dates = np.arange(np.datetime64(start, "D"), np.datetime64(end, "D") + 1)
    shape = len(dates), len(card_id)
    columns = {"market": np.full(shape, np.nan)}
    traded = np.zeros(shape, dtype=np.bool_)
    currency = np.full(len(card_id), "", dtype="U3")
    for day, place, table in _rows_by_day(lake, start, end, card_id):
        for name, column in _DAILY.items():
            if table[column].null_count < table.num_rows:
                if name not in columns:
                    columns[name] = np.full(shape, np.nan)
                columns[name][day, place] = _floats(table, column)
        traded[day, place] = _floats(table, "volume") > 0
        currency[place] = _currencies(table)
    return _Prices(
        card_id, dates, columns, traded, currency, np.isfinite(columns["market"]).any(axis=0)
    )


def _rows_by_day(
    lake: Lake, start: date, end: date, card_id: Strings
) -> Iterator[tuple[int, NDArray[np.int64], pa.Table]]:
    """Yield (day index, places, table) of each day in the lake.

    The table has the rows whose card is in `card_id`, and `places` are their indices there.
    """
    wanted = pa.array(card_id.tolist(), pa.string())
    days = [day for day in lake.days() if start <= day <= end]
    before, rows, place = None, np.empty(0, np.int64), np.empty(0, np.int64)
    if not days:
        raise ValuationError(f"no prices from {start} to {end} in {lake.root}")
    for day, table in zip(days, lake.prices(start, end, _COLUMNS), strict=True):
        ids = table["card_id"].combine_chunks()
        if before is None or not ids.equals(before):
            found = pc.fill_null(pc.index_in(ids, value_set=wanted), -1).to_numpy()
            rows = np.flatnonzero(found >= 0)
            place, before = found[rows], ids
        yield (day - start).days, place, table.drop_columns("card_id").take(rows)


def _floats(table: pa.Table, name: str) -> Floats:
    values: Floats = table[name].combine_chunks().cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values


def _currencies(table: pa.Table) -> Strings:
    encoded = table["currency"].combine_chunks().dictionary_encode()
    names = np.asarray(encoded.dictionary.to_pylist(), dtype=np.str_)
    return np.asarray(names[encoded.indices.to_numpy()], dtype=np.str_)


def _bucket_table(
    prices: _Prices,
    rows: NDArray[np.int64],
    texts: dict[str, Strings],
    released: Dates,
    span: dict[str, str],
) -> pa.Table:
    columns = {"card_id": pa.array(prices.card_id[rows].tolist(), pa.string())}
    columns |= {name: pa.array(text[rows].tolist(), pa.string()) for name, text in texts.items()}
    columns["released"] = pa.array(released[rows], pa.date32())
    columns["currency"] = pa.array(prices.currency[rows].tolist(), pa.string())
    columns |= {
        name: _fixed_size_lists(pa.array(column[:, rows].T.ravel()), len(prices.dates))
        for name, column in prices.columns.items()
        if np.isfinite(column[:, rows]).any()
    }
    columns["traded"] = _fixed_size_lists(
        pa.array(prices.traded[:, rows].T.ravel()), len(prices.dates)
    )
    return pa.table(columns).replace_schema_metadata(span)


def _fixed_size_lists(values: pa.Array, size: int) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(values, size)


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".incomplete")
    with pa.ipc.new_file(
        temporary, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
    ) as writer:
        writer.write_table(table)
    temporary.replace(path)


def _bucket_paths(folder: Path) -> list[Path]:
    if paths := sorted(folder.glob("bucket-*.arrow")):
        return paths
    raise ValuationError(f"no processed prices in {folder}")


def _read(path: Path, names: Sequence[str]) -> pa.Table:
    try:
        with pa.ipc.open_file(path) as reader:
            fields = [index for index, name in enumerate(reader.schema.names) if name in names]
        with pa.ipc.open_file(
            path, options=pa.ipc.IpcReadOptions(included_fields=fields)
        ) as reader:
            return reader.read_all()
    except (OSError, pa.ArrowException) as error:
        raise ValuationError(f"{path} cannot be read: {error}") from error


def _texts(tables: list[pa.Table], name: str) -> Strings:
    return np.asarray(
        pa.chunked_array([chunk for table in tables for chunk in table[name].chunks]).to_pylist(),
        dtype=np.str_,
    )


def _read_prices(
    paths: Sequence[Path], rank: NDArray[np.int64], days: int
) -> tuple[dict[str, Prices], Bools]:
    """Return the prices [d, n] by name and where a sale was reported.

    A price that no card has is absent. Buckets are large and are read one at a time.
    """
    dense: dict[str, PriceColumns] = {}
    traded = np.zeros((days, len(rank)), dtype=np.bool_)
    first = 0
    for path in paths:
        table = _read(path, [*_DAILY, "traded"])
        place = rank[first : first + table.num_rows]
        first += table.num_rows
        for name in table.column_names:
            if name in _DAILY:
                if name not in dense:
                    dense[name] = PriceColumns(days, len(rank))
                dense[name].put(place, _days_by_cards(table[name], days))
        traded[:, place] = _days_by_cards(table["traded"], days)
    return {name: columns.prices() for name, columns in dense.items()}, traded


def _days_by_cards(column: pa.ChunkedArray, days: int) -> NDArray[Any]:
    values = column.combine_chunks().flatten()
    flags = pa.types.is_boolean(values.type)
    found = numbers(values.cast(pa.uint8()) if flags else values, np.bool_ if flags else np.float64)
    return found.reshape(-1, days).T
