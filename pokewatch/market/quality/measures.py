"""Measures of one day of prices, on its own and against another day of the lake."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.market.prices import CARD_ID_PATTERN, CURRENCIES, PRICE_COLUMNS
from pokewatch.market.sources import NO_PRICE

JUMP = 5.0  # the factor of a jump; on a real day fewer than 1 price in 1,000 changes even twofold
MEASURED = ("card_id", "date", *PRICE_COLUMNS, "currency")  # the columns that are measured
_JUMPS_WITHIN = timedelta(days=7)
_SMALL_DAY_REJECTED = 0.25  # share of the rows of a day of few cards that may be rejected
_LEVEL_FROM, _SAME_FACTOR_FROM = 5, 20  # cards
# On real days the median price moves by less than 3%, and over months not 30% of prices move alike.
SAME_FACTOR_BEYOND, _SAME_FACTOR_WITHIN = 0.03, 0.02  # of the log


@dataclass(frozen=True, slots=True)
class DayMeasures:
    """Measures of one day. A share is None if there is too little to compare with."""

    day: date
    prices: int  # rows with a market price
    malformed: int
    not_positive: int
    duplicates: int
    days_ahead: int
    currencies: int
    quarantined: float | None
    coverage: float | None = None
    refreshed: float | None = None
    jumps: float | None = None
    unchanged: float | None = None
    level: float | None = None  # the factor of the median change, at least 1
    same_factor: float | None = None


def measure_day(
    prices: pa.Table,
    day: date,
    other: pa.Table | None,
    rejected: int,
    today: date,
    max_price: float,
    min_cards: int,
    replaced: pa.Table | None,
) -> DayMeasures:
    """Measure the rows of a day, without those `rejected` as errors.

    `other` are the prices of the nearest day, `replaced` those that the lake has of the same day.
    Tables with the columns of `numbered` must have been numbered together.
    """
    if "number" not in prices.column_names:
        given = [table for table in (prices, other, replaced) if table is not None]
        prices, *others = map(joined, given, numbered([table["card_id"] for table in given]))
        other = None if other is None else others.pop(0)
        replaced = None if replaced is None else others.pop(0)
    currencies = prices["currency"]
    if other is not None:
        currencies = pa.chunked_array([*currencies.chunks, *other["currency"].chunks])
    return DayMeasures(
        day=day,
        prices=prices.num_rows - prices["market_price"].null_count,
        malformed=_count(pc.invert(_well_formed(prices))),
        not_positive=_count(_out_of_range(prices, max_price)),
        duplicates=prices.num_rows - int(np.count_nonzero(np.bincount(prices["number"]))),
        days_ahead=max(0, (day - today).days),
        currencies=pc.count_distinct(currencies).as_py(),
        quarantined=_quarantined(prices.num_rows, rejected, min_cards),
        refreshed=None if replaced is None else _refreshed(prices, replaced),
        **({} if other is None else _compared(prices, day, other, min_cards)),
    )


def unusable(rejected: pa.Table) -> int:
    """Return how many rejected rows of a day count as its errors.

    Rows without a date are in the quarantine of a file's first day, but are not of that day.
    """
    return unusable_by_day(rejected).total()


def unusable_by_day(rejected: pa.Table) -> Counter[date]:
    """Return how many rejected rows count as errors, by their day."""
    errors = pc.and_(pc.is_valid(rejected["date"]), pc.not_equal(rejected["reason"], NO_PRICE))
    return Counter(rejected["date"].filter(errors).to_pylist())


def nearest_day(day: date, days: Iterable[date]) -> date | None:
    """Return the latest of `days` before `day`, else the earliest after it."""
    others = [other for other in days if other != day]
    before = [other for other in others if other < day]
    return max(before) if before else min(others, default=None)


def aligned(tables: Sequence[pa.Table]) -> tuple[pa.Array, NDArray[np.float64]]:
    """Return the card ids [n] of all tables, and the market price of each card in each table.

    It is NaN where there is none above 0; of several rows of a card, the first one counts.
    """
    ids, numbers = _numbers([table["card_id"] for table in tables])
    found = np.full((len(tables), len(ids)), np.nan)
    for table, own, prices in zip(tables, numbers, found, strict=True):
        prices[own[::-1]] = _positive(table["market_price"])[::-1]
    return ids, found


def numbered(columns: Sequence[pa.ChunkedArray]) -> list[pa.Table]:
    """Return card ids with the `number` of each, the same in all columns, and its `well_formed`.

    Numbers are compared faster than ids, and an id that many days have is checked once.
    """
    ids, numbers = _numbers(columns)
    good = pc.fill_null(pc.match_substring_regex(ids, CARD_ID_PATTERN), False)
    well_formed = good.to_numpy(zero_copy_only=False)
    return [
        pa.table({"card_id": column, "number": own, "well_formed": well_formed[own]})
        for column, own in zip(columns, numbers, strict=True)
    ]


def _numbers(columns: Sequence[pa.ChunkedArray]) -> tuple[pa.Array, list[NDArray[np.int32]]]:
    """Return the distinct card ids of all columns, and their indices in each column."""
    chunks = [chunk for column in columns for chunk in column.chunks]
    whole = pa.chunked_array(chunks, pa.string())
    encoded = whole.dictionary_encode(null_encoding="encode").chunks  # of one dictionary, or none
    ids = encoded[0].dictionary if encoded else pa.array([], pa.string())
    numbers = [np.empty(0, np.int32), *(chunk.indices.to_numpy() for chunk in encoded)]
    ends = np.cumsum([len(column) for column in columns])
    return ids, np.split(np.concatenate(numbers), ends[:-1])


def same_factor(moves: NDArray[np.float64]) -> float:
    """Return the share of log moves that equal their median, 0 where that is small."""
    middle = float(np.median(moves))
    if abs(middle) <= SAME_FACTOR_BEYOND:
        return 0.0
    return float(np.mean(np.abs(moves - middle) <= _SAME_FACTOR_WITHIN))


def joined(prices: pa.Table, ids: pa.Table) -> pa.Table:
    """Return `prices` with the columns of `ids`, which replace those that it has."""
    columns = {name: prices[name] for name in prices.column_names}
    return pa.table(columns | {name: ids[name] for name in ids.column_names})


def _compared(
    prices: pa.Table, day: date, other: pa.Table, min_cards: int
) -> dict[str, float | None]:
    """Return the measures against another day, each None for fewer cards than it needs."""
    earlier = other["date"][0].as_py() if other.num_rows else day
    rows = _rows(other, prices)
    now, before = _positive(prices["market_price"]), _positive(other["market_price"])
    before = np.append(before, np.nan)[rows]  # the last one is of the cards that have no row
    both = np.isfinite(now) & np.isfinite(before)
    moves, cards = np.log(now[both] / before[both]), int(both.sum())
    follows, many = earlier < day, cards >= min_cards
    near = follows and day - earlier <= _JUMPS_WITHIN
    return {
        "coverage": _coverage(prices, other, rows) if follows else None,
        "jumps": float(np.mean(np.abs(moves) >= np.log(JUMP))) if near and many else None,
        "unchanged": float(np.mean(moves == 0)) if follows and many else None,
        "level": float(np.exp(np.abs(np.median(moves)))) if cards >= _LEVEL_FROM else None,
        "same_factor": same_factor(moves) if cards >= _SAME_FACTOR_FROM else None,
    }


def _coverage(prices: pa.Table, other: pa.Table, rows: NDArray[np.int64]) -> float:
    """Return the share of the cards priced in `other` that `prices` has a price for.

    `rows` are the rows in `other` of the cards of `prices`.
    """
    found = np.zeros(other.num_rows + 1, dtype=np.bool_)
    found[rows[pc.is_valid(prices["market_price"]).to_numpy()]] = True
    wanted = pc.is_valid(other["market_price"]).to_numpy()
    return int((found[:-1] & wanted).sum()) / max(1, int(wanted.sum()))


def _refreshed(prices: pa.Table, replaced: pa.Table) -> float:
    return _coverage(prices, replaced, _rows(replaced, prices))


def _rows(other: pa.Table, prices: pa.Table) -> NDArray[np.int64]:
    """Return the first row in `other` of each card of `prices`, -1 where there is none."""
    theirs, ours = other["number"].to_numpy(), prices["number"].to_numpy()
    rows = np.full(max(theirs.max(initial=-1), ours.max(initial=-1)) + 1, -1)
    rows[theirs[::-1]] = np.arange(len(theirs))[::-1]
    found: NDArray[np.int64] = rows[ours]
    return found


def _positive(prices: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return prices, NaN where there is none above 0."""
    found = prices.to_numpy().astype(np.float64)
    return np.where(found > 0, found, np.nan)


def _quarantined(rows: int, rejected: int, min_cards: int) -> float | None:
    """Return the share of rejected rows; None for one or a few of them in a day of few cards."""
    few = max(1.0, _SMALL_DAY_REJECTED * (rows + rejected))
    if rows > 0 and rows + rejected < min_cards and rejected <= few:
        return None
    return rejected / max(1, rows + rejected)


def _well_formed(prices: pa.Table) -> pa.ChunkedArray:
    return pc.and_(
        prices["well_formed"], pc.is_in(prices["currency"], value_set=pa.array(CURRENCIES))
    )


def _out_of_range(prices: pa.Table, max_price: float) -> pa.ChunkedArray:
    bad = pa.scalar(False)
    for name in PRICE_COLUMNS:
        in_range = pc.and_(pc.greater(prices[name], 0), pc.less_equal(prices[name], max_price))
        bad = pc.or_(bad, pc.invert(pc.fill_null(in_range, True)))
    return bad


def _count(flags: pa.ChunkedArray) -> int:
    return int(pc.sum(flags).as_py() or 0)
