"""The cards of a shard, with what valuation needs of the catalogue.

The buckets are those of the catalogue, so a shard finds its cards without reading the prices. A
card that the catalogue lacks is in bucket 0, and only the shard of that bucket looks for such cards
among the prices.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.market.lake import Lake
from pokewatch.valuation.book.layout import numbers
from pokewatch.valuation.buckets import buckets_of
from pokewatch.valuation.panel import Dates, Strings

CARD_TEXTS = ("set_id", "rarity", "printing")
_TOGETHER = 8  # days that are compared with the catalogue at once: it is hashed each time


@dataclass(frozen=True, slots=True)
class ShardCards:
    """The cards, sorted by `card_id`, their buckets, and their `texts` and release dates, [n] each.

    A text of a card that the catalogue lacks is "", and its release date is NaT.
    """

    card_id: Strings
    bucket: NDArray[np.int64]
    texts: dict[str, Strings]
    released: Dates


def shard_cards(lake: Lake, start: date, end: date, shard: int, shards: int) -> ShardCards:
    """Return the cards of the buckets b with b % shards == shard.

    These are cards of the catalogue, with prices or without, and cards that it lacks with prices
    from `start` to `end`, inclusive.
    """
    catalog = lake.catalog()
    bucket = buckets_of(catalog["card_id"].to_pylist())
    mine = np.flatnonzero(bucket % shards == shard)
    known, bucket = catalog["card_id"].combine_chunks().take(pa.array(mine)), bucket[mine]
    if shard == 0:
        others = _unlisted(lake.prices(start, end, ["card_id"]), catalog["card_id"])
        known = pa.concat_arrays([known, others])
        bucket = np.append(bucket, np.zeros(len(others), dtype=np.int64))
    order = pc.sort_indices(known)
    ids = known.take(order)
    row = pc.index_in(ids, value_set=catalog["card_id"].combine_chunks())
    texts = {
        name: np.asarray(pc.fill_null(catalog[name].take(row), "").to_pylist(), dtype=np.str_)
        for name in CARD_TEXTS
    }
    released = date_values(catalog["released"].take(row))
    card_id = np.asarray(ids.to_pylist(), dtype=np.str_)
    return ShardCards(card_id, bucket[order.to_numpy()], texts, released)


def _unlisted(days: Iterable[pa.Table], catalog: pa.ChunkedArray) -> pa.Array:
    """Return the ids in any of the tables that are not in the catalogue."""
    listed, others = catalog.combine_chunks(), set[str]()
    remaining = iter(days)
    while some := list(islice(remaining, _TOGETHER)):
        ids = pa.concat_tables(some)["card_id"]
        others.update(ids.filter(pc.invert(pc.is_in(ids, value_set=listed))).to_pylist())
    return pa.array(sorted(others), pa.string())


def date_values(column: pa.ChunkedArray) -> Dates:
    """Return dates [n], NaT where null."""
    known = numbers(column.is_valid().cast(pa.uint8()).combine_chunks(), np.bool_)
    found = numbers(column.drop_null().cast(pa.int32()).combine_chunks(), np.int32)
    days = np.full(len(column), np.datetime64("NaT"), dtype="datetime64[D]")
    days[known] = found.astype("datetime64[D]")
    return days
