"""The `/catalog/...` endpoint: queries of the served book by name."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from pokewatch.contract import (
    DEFAULT_CARDS_LIMIT,
    DEFAULT_MOVERS_LIMIT,
    MAX_BUY_THRESHOLD,
    MAX_NEAR,
    MAX_QUERIES,
    MAX_SELL_THRESHOLD,
    MIN_BUY_THRESHOLD,
    MIN_SELL_THRESHOLD,
    MoversPrice,
)
from pokewatch.decision import BUY, SELL, Distribution, FeeSchedule, Thresholds, advise_each, decide
from pokewatch.errors import SettingsError, UnknownCardError
from pokewatch.serving import card_names, collections, market_views, record_views
from pokewatch.serving.canaries import CANARIES
from pokewatch.serving.catalog_cards import (
    PRICES,
    BookQuery,
    Limit,
    MinPrice,
    Name,
    Text,
    card_forecasts,
    described_cards,
)
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.products import BookProductQuery, product, product_of
from pokewatch.serving.settings_in_use import SETTINGS_IN_USE
from pokewatch.serving.validation import validation_message
from pokewatch.settings import DecisionSettings
from pokewatch.valuation.signals import configured_fees, configured_thresholds
from pokewatch.valuation.skill import skill_of

Answer = tuple[int, dict[str, Any]]


class BookSearchQuery(BookQuery):
    q: Text = ""
    set: Name | None = None
    rarity: Name | None = None
    limit: Limit = DEFAULT_CARDS_LIMIT
    after: Text | None = None


class BookCardQuery(BookQuery):
    card_id: Text


class BookNearQuery(BookQuery):
    cards: Annotated[list[Text], Field(max_length=MAX_NEAR)]


class BookHistoryQuery(BookCardQuery):
    start: Annotated[date | None, Field(alias="from", strict=False)] = None
    end: Annotated[date | None, Field(alias="to", strict=False)] = None


class NamedQuery(BookQuery):
    """A query of a batch."""

    query: Text
    payload: dict[str, Any]


class BookBatchQuery(BookQuery):
    queries: Annotated[list[NamedQuery], Field(min_length=1, max_length=MAX_QUERIES)]


class BookMoversQuery(BookQuery):
    price: MoversPrice = "market"
    min_price: MinPrice = 0.0
    limit: Limit = DEFAULT_MOVERS_LIMIT
    buy_threshold_pct: (
        Annotated[float, Field(gt=MIN_BUY_THRESHOLD, le=MAX_BUY_THRESHOLD, allow_inf_nan=False)]
        | None
    ) = None
    sell_threshold_pct: (
        Annotated[float, Field(ge=MIN_SELL_THRESHOLD, le=MAX_SELL_THRESHOLD, allow_inf_nan=False)]
        | None
    ) = None


class CatalogQuery(NamedTuple):
    """An endpoint: the model of its parameters and the function that answers it."""

    parameters: type[BookQuery]
    run: Callable[[LoadedBook, Any], dict[str, Any]]


Queries = Mapping[str, CatalogQuery]


def answer(
    loaded: LoadedBook, name: str, payload: object, queries: Queries | None = None
) -> Answer:
    """Return the HTTP status and body of a query, one of `queries`, by default all.

    200 carries the content and the versions, 404 the most similar cards, 422 the invalid fields.
    """
    queries = _QUERIES if queries is None else queries
    if name not in queries:
        return 404, {"error": f"unknown query {name[:80]!r}; expected one of {', '.join(queries)}"}
    query = queries[name]
    try:
        parameters = query.parameters.model_validate({} if payload is None else payload)
        content = query.run(loaded, parameters)
    except ValidationError as error:
        message = validation_message([dict(each) for each in error.errors()])
        return 422, {"error": message, **loaded.versions()}
    except UnknownCardError as error:
        return 404, {
            "error": f"unknown card {error.card!r}",
            "near": list(error.near),
            **loaded.versions(),
        }
    except collections.CollectionError as error:
        return 422, {"error": str(error), **loaded.versions()}
    except market_views.UnknownSetError as error:
        return 404, {"error": f"unknown set {str(error)!r}", **loaded.versions()}
    return 200, {**content, **loaded.versions()}


def status(loaded: LoadedBook, _: BookQuery) -> dict[str, Any]:
    """Return facts about the served book."""
    book = loaded.book
    return {
        "created_at": book.facts.created_at.isoformat(),
        "first_day": book.first_day.isoformat(),
        "last_day": book.last_day.isoformat(),
        "cards": len(book.cards),
        "horizon": book.facts.horizon,
        "model": book.facts.model,
        "currency": book.facts.currency,
        "source": book.facts.source,
        "games": loaded.games,
        "metrics": dict(book.facts.metrics),
        "skill": skill_of(book.facts.metrics),
        "not_evaluated": book.facts.not_evaluated or None,
        "record": loaded.record.digest(),
        "settings": SETTINGS_IN_USE.digest(),
        "canary": CANARIES.status(book.facts.market),
    }


def search(loaded: LoadedBook, query: BookSearchQuery) -> dict[str, Any]:
    """Return a page of cards with their latest prices.

    `next` is the `after` of the following page, null on the last page.
    """
    matches = loaded.book.cards.search(
        query.q, query.set, query.rarity, limit=query.limit + 1, after=query.after
    )
    page = matches[: query.limit]
    following = loaded.book.cards.ids[page[-1]] if len(matches) > query.limit else None
    return {"cards": described_cards(loaded, page), "next": following}


def card(loaded: LoadedBook, query: BookCardQuery) -> dict[str, Any]:
    """Return one card with its latest prices and its forecasts."""
    position = loaded.book.cards.position(query.card_id)
    found = described_cards(loaded, np.array([position]))[0]
    forecasts = card_forecasts(loaded, found, position)
    return {**found, "product_id": product_of(loaded, position), "forecasts": forecasts}


def near(loaded: LoadedBook, query: BookNearQuery) -> dict[str, Any]:
    """Return the slugs most similar to each of several unknown cards."""
    return {"near": [loaded.book.cards.near(name) for name in query.cards]}


def history(loaded: LoadedBook, query: BookHistoryQuery) -> dict[str, Any]:
    """Return a card's daily prices as columns."""
    days = loaded.book.history(query.card_id, query.start, query.end)
    prices = {name: getattr(days, column).tolist() for name, column in PRICES.items()}
    position = loaded.book.cards.position(query.card_id)
    names = {
        "card_id": loaded.book.cards.ids[position],
        "slug": loaded.book.cards.slugs[position],
    }
    return {
        **names,
        "dates": days.date.astype(str).tolist(),
        **prices,
        "status": days.status.tolist(),
    }


def batch(loaded: LoadedBook, query: BookBatchQuery) -> dict[str, Any]:
    """Return the HTTP status and body of each query, all from one book."""
    answers = [
        answer(loaded, each.query, each.payload, _QUERIES_BUT_BATCH) for each in query.queries
    ]
    return {"answers": [{"status": status, "body": body} for status, body in answers]}


def movers(loaded: LoadedBook, query: BookMoversQuery) -> dict[str, Any]:
    """Return the BUY and SELL cards whose prices are furthest from their fair prices."""
    latest = loaded.book.latest()
    price = latest.market if query.price == "market" else latest.low
    worth = np.fmax(price, latest.fair) >= query.min_price
    valued = np.flatnonzero((latest.status == "ok") & (price > 0) & worth)
    order = valued[np.argsort(price[valued] / latest.fair[valued], kind="stable")]
    thresholds = _thresholds(query)
    return {
        "date": loaded.book.last_day.isoformat(),
        "price": query.price,
        "buy": _signals(loaded, order[: query.limit], price, thresholds, BUY),
        "sell": _signals(loaded, order[::-1][: query.limit], price, thresholds, SELL),
    }


_QUERIES_BUT_BATCH: Queries = {
    "status": CatalogQuery(BookQuery, status),
    "search": CatalogQuery(BookSearchQuery, search),
    "card": CatalogQuery(BookCardQuery, card),
    "near": CatalogQuery(BookNearQuery, near),
    "names": CatalogQuery(card_names.BookNamesQuery, card_names.names),
    "history": CatalogQuery(BookHistoryQuery, history),
    "movers": CatalogQuery(BookMoversQuery, movers),
    "suggestions": CatalogQuery(market_views.BookSuggestionsQuery, market_views.suggestions),
    "printings": CatalogQuery(market_views.BookPrintingsQuery, market_views.printings),
    "sets": CatalogQuery(market_views.BookSetsQuery, market_views.sets),
    "set": CatalogQuery(market_views.BookSetQuery, market_views.one_set),
    "index": CatalogQuery(market_views.BookIndexQuery, market_views.index),
    "changes": CatalogQuery(market_views.BookChangesQuery, market_views.changes),
    "track_record": CatalogQuery(record_views.BookRecordQuery, record_views.track_record),
    "product": CatalogQuery(BookProductQuery, product),
    "collection": CatalogQuery(collections.BookCollectionQuery, collections.collection),
    "resolve": CatalogQuery(collections.BookResolveQuery, collections.resolve),
}
_QUERIES = {**_QUERIES_BUT_BATCH, "batch": CatalogQuery(BookBatchQuery, batch)}


def _signals(
    loaded: LoadedBook,
    positions: NDArray[np.intp],
    price: NDArray[np.float64],
    thresholds: Thresholds,
    wanted: str,
) -> list[dict[str, Any]]:
    if len(positions) == 0:
        return []
    latest = loaded.book.latest(distributions=True)
    decisions = decide(
        price[positions],
        latest.fair[positions],
        latest.lower[positions],
        latest.upper[positions],
        distribution=Distribution.from_array(latest.distribution[positions]),
        thresholds=thresholds,
        on_fault="hold",
    )
    probability = DecisionSettings.read().advice_probability
    advice = advise_each(price[positions], decisions, [_fees(loaded)], probability)
    selected = np.flatnonzero(decisions.signal == wanted)
    cards = described_cards(loaded, positions[selected])
    for at, row in zip(selected, cards, strict=True):
        row |= {
            "signal": wanted,
            "deviation_pct": float(decisions.deviation_pct[at]),
            "confidence": float(decisions.confidence[at]),
            "reason": str(decisions.reason[at]),
            "buy_below": float(advice.buy_below[at]),
            "sell_above": float(advice.sell_above[at]),
            "chance_to_earn": float(advice.chance_to_earn[at]),
            "advice": str(advice.reason[at]),
        }
    return cards


def _fees(loaded: LoadedBook) -> FeeSchedule | None:
    """Return the fee schedule of the settings, None if there is none in the book's currency."""
    try:
        return configured_fees(loaded.book.facts.currency)
    except (ValueError, SettingsError):
        return None


def _thresholds(query: BookMoversQuery) -> Thresholds:
    configured = configured_thresholds()
    buy, sell = query.buy_threshold_pct, query.sell_threshold_pct
    return Thresholds(
        configured.buy if buy is None else buy, configured.sell if sell is None else sell
    )
