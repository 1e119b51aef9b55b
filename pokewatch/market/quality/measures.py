"""Measures of one day of prices, on its own and against another day of the lake."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.market.prices import CARD_ID_PATTERN, CURRENCIES, PRICE_COLUMNS

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
    replaced: pa.Table | None = None,
) -> DayMeasures:
    """Measure the rows of a day, without its `rejected` ones.

    `other` are the prices of the nearest day, `replaced` those that the lake has of the same day.
    """
    ids, currencies = prices["card_id"], prices["currency"]
    if other is not None:
        currencies = pa.chunked_array([*currencies.chunks, *other["currency"].chunks])
    return DayMeasures(
        day=day,
        prices=prices.num_rows - prices["market_price"].null_count,
        malformed=_count(pc.invert(_well_formed(prices))),
        not_positive=_count(_out_of_range(prices, max_price)),
        duplicates=_duplicates(ids),
        days_ahead=max(0, (day - today).days),
        currencies=pc.count_distinct(currencies).as_py(),
        quarantined=_quarantined(prices.num_rows, rejected, min_cards),
        refreshed=None if replaced is None else _refreshed(prices, replaced),
        **({} if other is None else _compared(prices, day, other, min_cards)),
    )


def nearest_day(day: date, days: Iterable[date]) -> date | None:
    """Return the latest of `days` before `day`, else the earliest after it."""
    others = [other for other in days if other != day]
    before = [other for other in others if other < day]
    return max(before) if before else min(others, default=None)


def aligned(tables: Sequence[pa.Table]) -> tuple[pa.Array, NDArray[np.float64]]:
    """Return the card ids [n] of all tables, and the market price of each card in each table.

    It is NaN where there is none above 0; of several rows of a card, the first one counts.
    """
    chunks = [chunk for table in tables for chunk in table["card_id"].chunks]
    encoded = pa.chunked_array(chunks, pa.string()).combine_chunks().dictionary_encode()
    codes, first = encoded.indices.to_numpy(), 0
    found = np.full((len(tables), len(encoded.dictionary)), np.nan)
    for table, prices in zip(tables, found, strict=True):
        own = codes[first : first + table.num_rows]
        prices[own[::-1]] = _positive(table["market_price"])[::-1]
        first += table.num_rows
    return encoded.dictionary, found


def same_factor(moves: NDArray[np.float64]) -> float:
    """Return the share of log moves that equal their median, 0 where that is small."""
    middle = float(np.median(moves))
    if abs(middle) <= SAME_FACTOR_BEYOND:
        return 0.0
    return float(np.mean(np.abs(moves - middle) <= _SAME_FACTOR_WITHIN))


def _compared(
    prices: pa.Table, day: date, other: pa.Table, min_cards: int
) -> dict[str, float | None]:
    """Return the measures against another day, each None for fewer cards than it needs."""
    earlier = other["date"][0].as_py() if other.num_rows else day
    rows = _rows(other, prices["card_id"])
    now, before = _positive(prices["market_price"]), _positive(other["market_price"].take(rows))
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


def _coverage(prices: pa.Table, other: pa.Table, rows: pa.ChunkedArray) -> float:
    """Return the share of the cards priced in `other` that `prices` has a price for.

    `rows` are the rows in `other` of the cards of `prices`.
    """
    priced = rows.filter(pc.is_valid(prices["market_price"])).drop_null()
    found = np.zeros(other.num_rows, dtype=np.bool_)
    found[priced.to_numpy()] = True
    wanted = pc.is_valid(other["market_price"]).to_numpy()
    return int((found & wanted).sum()) / max(1, int(wanted.sum()))


def _duplicates(ids: pa.ChunkedArray) -> int:
    """Return the rows beyond the first of each id; ids in order are compared with the next one."""
    if pc.all(pc.less(ids.slice(0, max(0, len(ids) - 1)), ids.slice(1))).as_py() is not False:
        return 0
    return len(ids) - int(pc.count_distinct(ids).as_py())


def _refreshed(prices: pa.Table, replaced: pa.Table) -> float:
    return _coverage(prices, replaced, _rows(replaced, prices["card_id"]))


def _rows(prices: pa.Table, ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the row of each of `ids`, null where there is none."""
    return pc.index_in(ids, value_set=prices["card_id"].combine_chunks())


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
    ids = pc.fill_null(pc.match_substring_regex(prices["card_id"], CARD_ID_PATTERN), False)
    return pc.and_(ids, pc.is_in(prices["currency"], value_set=pa.array(CURRENCIES)))


def _out_of_range(prices: pa.Table, max_price: float) -> pa.ChunkedArray:
    bad = pa.scalar(False)
    for name in PRICE_COLUMNS:
        in_range = pc.and_(pc.greater(prices[name], 0), pc.less_equal(prices[name], max_price))
        bad = pc.or_(bad, pc.invert(pc.fill_null(in_range, True)))
    return bad


def _count(flags: pa.ChunkedArray) -> int:
    return int(pc.sum(flags).as_py() or 0)
