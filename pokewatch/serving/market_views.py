"""Queries of the `/catalog/...` endpoint about whole markets: sets, the index, price changes."""

from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from pokewatch.contract import (
    DEFAULT_MIN_PRICE,
    DEFAULT_MOVERS_LIMIT,
    DEFAULT_SUGGESTIONS,
    MAX_SUGGESTIONS,
    ChangeDays,
    ChangesSort,
)
from pokewatch.serving.catalog_cards import BookQuery, Limit, MinPrice, Name, Text, described_cards
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.valuation.book.market_index import chained_index

_TOP_CARDS = 50
_STEADY = 0.05  # a change below which another printing has not moved


class BookSuggestionsQuery(BookQuery):
    q: Text
    limit: Annotated[int, Field(ge=1, le=MAX_SUGGESTIONS)] = DEFAULT_SUGGESTIONS


class BookSetsQuery(BookQuery):
    pass


class BookSetQuery(BookQuery):
    set_id: Name


class BookIndexQuery(BookQuery):
    pass


class BookPrintingsQuery(BookQuery):
    card_id: Text


class BookChangesQuery(BookQuery):
    days: ChangeDays = 7
    set: Name | None = None
    rarity: Name | None = None
    min_price: MinPrice = DEFAULT_MIN_PRICE
    sort: ChangesSort = "change"
    limit: Limit = DEFAULT_MOVERS_LIMIT


class UnknownSetError(ValueError):
    """No card of the book belongs to the set."""


def suggestions(loaded: LoadedBook, query: BookSuggestionsQuery) -> dict[str, Any]:
    """Return the cards that best match what a user has typed so far."""
    found = loaded.book.suggestions.find(query.q, query.limit)
    return {"cards": described_cards(loaded, found)}


def printings(loaded: LoadedBook, query: BookPrintingsQuery) -> dict[str, Any]:
    """Return the other printings of a card, with their latest prices."""
    cards = loaded.book.cards
    return {"cards": described_cards(loaded, cards.printings(cards.position(query.card_id)))}


def sets(loaded: LoadedBook, _: BookSetsQuery) -> dict[str, Any]:
    """Return every set, the newest first: its cards, how many have a price, and their total."""
    cards, market = loaded.book.cards, loaded.book.latest().market
    table = pa.table(
        {
            "set_id": cards.column("set_id"),
            "set_name": cards.column("set_name"),
            "released": cards.column("released"),
            "price": pa.array(market, from_pandas=True),
        }
    )
    found = table.group_by("set_id").aggregate(
        [
            ("set_name", "min"),
            ("released", "min"),
            ("set_id", "count"),
            ("price", "count"),
            ("price", "sum"),
        ]
    )
    rows = [
        {
            "set_id": row["set_id"],
            "set_name": row["set_name_min"],
            "released": row["released_min"].isoformat() if row["released_min"] else None,
            "cards": row["set_id_count"],
            "priced": row["price_count"],
            "total": round(row["price_sum"], 2) if row["price_count"] else None,
        }
        for row in found.to_pylist()
    ]
    rows.sort(key=lambda row: (row["released"] or "", row["set_name"]), reverse=True)
    return {"date": loaded.book.last_day.isoformat(), "sets": rows}


def one_set(loaded: LoadedBook, query: BookSetQuery) -> dict[str, Any]:
    """Return a set, its index by day and its most expensive cards. Raise UnknownSetError."""
    cards = loaded.book.cards
    inside = np.flatnonzero(
        pc.equal(cards.column("set_id"), query.set_id).to_numpy(zero_copy_only=False)
    )
    if not len(inside):
        raise UnknownSetError(query.set_id)
    market = loaded.book.latest().market[inside]
    order = np.argsort(-np.nan_to_num(market), kind="stable")[:_TOP_CARDS]
    top = described_cards(loaded, inside[order])
    priced = np.isfinite(market)
    return {
        "set_id": query.set_id,
        "set_name": top[0]["set_name"],
        "released": top[0]["released"],
        "cards": len(inside),
        "priced": int(priced.sum()),
        "total": round(float(market[priced].sum()), 2) if priced.any() else None,
        "date": loaded.book.last_day.isoformat(),
        "dates": loaded.book.dates.astype(str).tolist(),
        "index": _rounded(chained_index(loaded.book.market_prices, inside)),
        "top": top,
    }


def index(loaded: LoadedBook, _: BookIndexQuery) -> dict[str, Any]:
    """Return the index of all cards by day."""
    book = loaded.book
    return {
        "source": book.facts.source,
        "currency": book.facts.currency,
        "cards": len(book.cards),
        "dates": book.dates.astype(str).tolist(),
        "index": _rounded(book.market_index),
    }


def changes(loaded: LoadedBook, query: BookChangesQuery) -> dict[str, Any]:
    """Return the cards whose market price rose and fell most over `days` days, by `sort`.

    Where there are no prices that long ago, those of the last day with prices before it count.
    `alone` is true where other printings of the card are quoted on both days and none of them moved
    by more than 5%.
    """
    book = loaded.book
    at = book.last_quoted(np.datetime64(book.last_day) - query.days)
    result = {
        "date": book.last_day.isoformat(),
        "since": None if at < 0 else str(book.dates[at]),
        "days": query.days,
        "min_price": query.min_price,
        "sort": query.sort,
    }
    if at < 0:
        return {**result, "up": [], "down": []}
    now, then = book.latest().market, book.market_prices.on(at)
    selected = _selected(loaded, query) & (now > 0) & (then > 0)
    selected &= np.maximum(now, then) >= query.min_price
    with np.errstate(divide="ignore", invalid="ignore"):
        change = now / then - 1.0
    largest = {"change": np.abs(change), "amount": np.abs(now - then), "price": now}[query.sort]
    up, down = (
        rows[np.argsort(-largest[rows], kind="stable")]
        for rows in (
            np.flatnonzero(selected & (change > 0)),
            np.flatnonzero(selected & (change < 0)),
        )
    )
    return {
        **result,
        "up": _changes(loaded, up[: query.limit], then, change),
        "down": _changes(loaded, down[: query.limit], then, change),
    }


def _selected(loaded: LoadedBook, query: BookChangesQuery) -> NDArray[np.bool_]:
    cards = loaded.book.cards
    if query.set is None and query.rarity is None:
        return np.ones(len(cards), dtype=np.bool_)
    selected = np.zeros(len(cards), dtype=np.bool_)
    selected[cards.search("", query.set, query.rarity, limit=len(cards))] = True
    return selected


def _changes(
    loaded: LoadedBook,
    positions: NDArray[np.intp],
    then: NDArray[np.float64],
    change: NDArray[np.float64],
) -> list[dict[str, Any]]:
    rows = described_cards(loaded, positions)
    alone = _alone(loaded.book.cards.of_print, positions, change)
    for at, row, only in zip(positions.tolist(), rows, alone.tolist(), strict=True):
        row["price_before"] = float(then[at])
        row["change_pct"] = round(float(change[at]), 6)
        row["alone"] = only
    return rows


def _alone(
    of_print: NDArray[np.int32], positions: NDArray[np.intp], change: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return of each card at `positions` whether others of its print are quoted and none moved."""
    quoted = np.isfinite(change)
    moved = quoted & (np.abs(change) > _STEADY)
    others_quoted, others_moved = (
        np.bincount(of_print, weights=each)[of_print[positions]] - each[positions]
        for each in (quoted, moved)
    )
    alone: NDArray[np.bool_] = (others_quoted > 0) & (others_moved == 0)
    return alone


def _rounded(values: NDArray[np.float64]) -> list[float]:
    rounded: list[float] = np.round(values, 4).tolist()
    return rounded
