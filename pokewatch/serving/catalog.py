"""What the book knows beyond a price: the questions behind the `/catalog/...` endpoints, as functions from a query to an answer."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pokewatch.contract import (
    DEFAULT_CARDS_LIMIT,
    DEFAULT_MOVERS_LIMIT,
    MAX_BUY_THRESHOLD,
    MAX_PAGE_SIZE,
    MAX_SELL_THRESHOLD,
    MAX_TEXT_LENGTH,
    MIN_BUY_THRESHOLD,
    MIN_SELL_THRESHOLD,
    MoversPrice,
)
from pokewatch.decision import BUY, SELL, Thresholds, decide
from pokewatch.errors import UnknownCardError
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.settings import DecisionSettings

Answer = tuple[int, dict[str, Any]]
Text = Annotated[str, Field(max_length=MAX_TEXT_LENGTH)]
Limit = Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)]

_PRICES = {
    "market_price": "market",
    "low_price": "low",
    "fair_price": "fair",
    "lower": "lower",
    "upper": "upper",
}


class BookQuery(BaseModel):
    """What an endpoint may be asked; anything else is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class BookStatusQuery(BookQuery):
    pass


class BookSearchQuery(BookQuery):
    q: Text = ""
    set: Text | None = None
    rarity: Text | None = None
    limit: Limit = DEFAULT_CARDS_LIMIT
    after: Text | None = None


class BookCardQuery(BookQuery):
    card_id: Text


class BookHistoryQuery(BookCardQuery):
    start: Annotated[date | None, Field(alias="from", strict=False)] = None
    end: Annotated[date | None, Field(alias="to", strict=False)] = None


class BookMoversQuery(BookQuery):
    price: MoversPrice = "market"
    limit: Limit = DEFAULT_MOVERS_LIMIT
    buy_threshold_pct: (
        Annotated[float, Field(gt=MIN_BUY_THRESHOLD, le=MAX_BUY_THRESHOLD, allow_inf_nan=False)]
        | None
    ) = None
    sell_threshold_pct: (
        Annotated[float, Field(ge=MIN_SELL_THRESHOLD, le=MAX_SELL_THRESHOLD, allow_inf_nan=False)]
        | None
    ) = None


def answer(edition: LoadedBook, question: str, payload: object) -> Answer:
    """HTTP status and body: 200 and the versions, 404 with near cards, 422 naming what is wrong with the payload."""
    if question not in _QUESTIONS:
        return 404, {
            "error": f"unknown question {question[:80]!r}; the questions are {', '.join(_QUESTIONS)}"
        }
    kind, ask = _QUESTIONS[question]
    try:
        content = ask(edition, kind.model_validate({} if payload is None else payload))
    except ValidationError as error:
        return 422, {
            "error": "; ".join(_fault(dict(fault)) for fault in error.errors()),
            **edition.versions(),
        }
    except UnknownCardError as error:
        return 404, {
            "error": f"unknown card {error.card!r}",
            "near": list(error.near),
            **edition.versions(),
        }
    return 200, {**content, **edition.versions()}


def status(edition: LoadedBook, _: BookStatusQuery) -> dict[str, Any]:
    """What is being served."""
    book = edition.book
    return {
        "created_at": book.facts.created_at.isoformat(),
        "first_day": book.first_day.isoformat(),
        "last_day": book.last_day.isoformat(),
        "cards": len(book.cards),
        "horizon": book.facts.horizon,
        "model": book.facts.model,
        "currency": book.facts.currency,
        "source": book.facts.source,
        "metrics": dict(book.facts.metrics),
    }


def search(edition: LoadedBook, query: BookSearchQuery) -> dict[str, Any]:
    """A page of cards with today's prices; `next` is the card to ask for the page after, null on the last."""
    found = edition.book.cards.search(
        query.q, query.set, query.rarity, limit=query.limit + 1, after=query.after
    )
    page = found[: query.limit]
    following = edition.book.cards.ids[page[-1]] if len(found) > query.limit else None
    return {"cards": _cards(edition, page), "next": following}


def card(edition: LoadedBook, query: BookCardQuery) -> dict[str, Any]:
    """One card with today's prices."""
    return _cards(edition, np.array([edition.book.cards.position(query.card_id)]))[0]


def history(edition: LoadedBook, query: BookHistoryQuery) -> dict[str, Any]:
    """A card's days as columns."""
    days = edition.book.history(query.card_id, query.start, query.end)
    prices = {name: getattr(days, column).tolist() for name, column in _PRICES.items()}
    at = edition.book.cards.position(query.card_id)
    names = {"card_id": edition.book.cards.ids[at], "slug": edition.book.cards.slugs[at]}
    return {
        **names,
        "dates": days.date.astype(str).tolist(),
        **prices,
        "status": days.status.tolist(),
    }


def movers(edition: LoadedBook, query: BookMoversQuery) -> dict[str, Any]:
    """The cards whose price is furthest below and above the fair one, of those that the rule buys and sells."""
    latest = edition.book.latest()
    price = latest.market if query.price == "market" else latest.low
    judged = np.flatnonzero((latest.status == "ok") & (price > 0))
    order = judged[np.argsort(price[judged] / latest.fair[judged], kind="stable")]
    thresholds = _thresholds(query)
    return {
        "date": edition.book.last_day.isoformat(),
        "price": query.price,
        "buy": _signals(edition, order[: query.limit], price, thresholds, BUY),
        "sell": _signals(edition, order[::-1][: query.limit], price, thresholds, SELL),
    }


_QUESTIONS: Mapping[str, tuple[type[BookQuery], Callable[[LoadedBook, Any], dict[str, Any]]]] = {
    "status": (BookStatusQuery, status),
    "search": (BookSearchQuery, search),
    "card": (BookCardQuery, card),
    "history": (BookHistoryQuery, history),
    "movers": (BookMoversQuery, movers),
}


def _cards(edition: LoadedBook, positions: NDArray[np.intp]) -> list[dict[str, Any]]:
    """Catalogue fields and the latest row of each card."""
    latest = edition.book.latest()
    cards = edition.book.cards.describe(positions)
    prices = {name: getattr(latest, column)[positions].tolist() for name, column in _PRICES.items()}
    statuses = latest.status[positions].tolist()
    day = edition.book.last_day.isoformat()
    return [
        {
            **row,
            **{name: values[at] for name, values in prices.items()},
            "status": statuses[at],
            "date": day,
        }
        for at, row in enumerate(cards)
    ]


def _signals(
    edition: LoadedBook,
    positions: NDArray[np.intp],
    price: NDArray[np.float64],
    thresholds: Thresholds,
    wanted: str,
) -> list[dict[str, Any]]:
    if len(positions) == 0:
        return []
    latest = edition.book.latest()
    decisions = decide(
        price[positions],
        latest.fair[positions],
        latest.lower[positions],
        latest.upper[positions],
        thresholds=thresholds,
        on_fault="hold",
    )
    kept = np.flatnonzero(decisions.signal == wanted)
    cards = _cards(edition, positions[kept])
    for at, row in zip(kept, cards, strict=True):
        row |= {
            "signal": wanted,
            "deviation_pct": float(decisions.deviation_pct[at]),
            "confidence": float(decisions.confidence[at]),
            "reason": str(decisions.reason[at]),
        }
    return cards


def _thresholds(query: BookMoversQuery) -> Thresholds:
    usual = DecisionSettings.read()
    buy = usual.buy_threshold_pct if query.buy_threshold_pct is None else query.buy_threshold_pct
    sell = (
        usual.sell_threshold_pct if query.sell_threshold_pct is None else query.sell_threshold_pct
    )
    return Thresholds(buy, sell)


def _fault(fault: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "the body"
    return f"{where}: {fault['msg']}"
