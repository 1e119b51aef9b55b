"""The cards of a lake that have prices in some days, with what valuation needs of the catalogue."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.errors import ValuationError
from pokewatch.market.lake import Lake
from pokewatch.valuation.buckets import buckets_of
from pokewatch.valuation.panel import Dates, Strings

CARD_TEXTS = ("set_id", "rarity", "printing")


@dataclass(frozen=True, slots=True)
class PricedCards:
    """The cards, sorted by `card_id`, their buckets, and their `texts` and release dates, [n] each.

    A text of a card that the catalogue lacks is "", and its release date is NaT.
    """

    card_id: Strings
    bucket: NDArray[np.int64]
    texts: dict[str, Strings]
    released: Dates


def lake_cards(lake: Lake, start: date, end: date) -> PricedCards:
    """Return every card priced in those days, with its catalogue entry.

    Raise ValuationError if the lake has no prices in them.
    """
    catalog = lake.catalog()
    known = _priced(lake.prices(start, end, ["card_id"]), catalog["card_id"].combine_chunks())
    if not len(known):
        raise ValuationError(f"no prices from {start} to {end} in {lake.root}")
    row = pc.index_in(known, value_set=catalog["card_id"])
    texts = {
        name: np.asarray(pc.fill_null(catalog[name].take(row), "").to_pylist(), dtype=np.str_)
        for name in CARD_TEXTS
    }
    ids = known.to_pylist()
    released = date_values(catalog["released"].take(row))
    return PricedCards(np.asarray(ids, dtype=np.str_), buckets_of(ids), texts, released)


def _priced(days: Iterable[pa.Table], catalog: pa.Array) -> pa.Array:
    """Return the ids in any of the tables, sorted.

    Each day has nearly all cards of a market, so they are counted, not joined.
    """
    listed = np.zeros(len(catalog), dtype=np.bool_)
    others = set[str]()
    before = None
    for day in days:
        ids = day["card_id"].combine_chunks()
        if before is None or not ids.equals(before):
            row = pc.index_in(ids, value_set=catalog)
            listed[row.drop_null().to_numpy()] = True
            others.update(ids.filter(row.is_null()).to_pylist())
        before = ids
    found = pa.concat_arrays([catalog.filter(pa.array(listed)), pa.array(others, pa.string())])
    return found.take(pc.sort_indices(found))


def date_values(column: pa.ChunkedArray) -> Dates:
    """Return dates [n], NaT where null. `to_numpy` of a date column would import pandas."""
    numbers = pc.fill_null(column.cast(pa.int32()).cast(pa.int64()), np.iinfo(np.int64).min)
    days: Dates = numbers.to_numpy().view("datetime64[D]")
    return days
