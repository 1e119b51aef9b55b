"""The pages. Each method reads answers of the API and returns the values of its template."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET, Meta

from pokewatch.contract import DEFAULT_MIN_PRICE
from pokewatch.gateway.api import catalog, queries, schemas
from pokewatch.gateway.api.catalog_reader import CatalogCall, CatalogReader
from pokewatch.gateway.api.composition import CardQuery
from pokewatch.gateway.api.prices import FairPriceEndpoint
from pokewatch.gateway.api.schemas import FairPrice, History
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import invalid
from pokewatch.gateway.upstream.version_poller import VersionPoller
from pokewatch.gateway.web import charts, formats

Values = dict[str, Any]

RANGES = {"1m": 31, "3m": 92, "1y": 366, "all": None}
_PAGE_CARDS = 40
_HOME_CARDS = 5
_MOVERS = 25

Range = Literal["1m", "3m", "1y", "all"]


class CardPageQuery(msgspec.Struct, frozen=True):
    """The range of the chart, and a price to judge as the visitor typed it."""

    range: Range = "3m"
    price: Annotated[str, Meta(max_length=40)] = ""


class SearchPageQuery(msgspec.Struct, frozen=True):
    """The words searched for, and the page."""

    q: Annotated[str, Meta(max_length=200)] = ""
    set: Annotated[str, Meta(max_length=200)] = ""
    cursor: Annotated[str, Meta(max_length=200)] = ""


class MoversPageQuery(msgspec.Struct, frozen=True):
    """The days to compare over, and the least price. Empty texts are fields left blank."""

    days: Literal["1", "7", "30"] = "7"
    set: Annotated[str, Meta(max_length=200)] = ""
    rarity: Annotated[str, Meta(max_length=200)] = ""
    min_price: Annotated[str, Meta(max_length=20)] = ""


class RangeQuery(msgspec.Struct, frozen=True):
    """The range of a chart."""

    range: Range = "all"


@dataclass(frozen=True, slots=True)
class _Judged:
    """A price that the visitor asked about, and the answer."""

    price: float
    answer: FairPrice


class Pages:
    """The pages' values, from the same calls as the API's answers."""

    def __init__(
        self, reader: CatalogReader, prices: FairPriceEndpoint, poller: VersionPoller
    ) -> None:
        self._reader = reader
        self._prices = prices
        self._poller = poller

    async def home(self, context: RequestContext) -> Values:
        index, changes, bargains = await self._read(
            context,
            catalog.index_call(),
            catalog.changes_call(queries.ChangesQuery(limit=_HOME_CARDS)),
            catalog.movers_call(_bargains(_HOME_CARDS)),
        )
        chart = _index_chart("Price index of the market", index.dates, index.index)
        return {
            "index": index,
            "chart": chart,
            "index_changes": _index_changes(index.index),
            "changes": changes,
            "bargains": bargains,
        }

    async def search(self, context: RequestContext) -> Values:
        query = queries.parse_query(SearchPageQuery, context.scope["query_string"])
        found = queries.CardsQuery(
            q=query.q.strip(),
            set=query.set or UNSET,
            limit=_PAGE_CARDS,
            cursor=query.cursor or UNSET,
        )
        page = (await self._read(context, catalog.search_call(found)))[0]
        suggested: Sequence[Any] = ()
        if not page.cards and query.q.strip() and not query.set:
            call = catalog.suggestions_call(query.q.strip(), 20)
            suggested = (await self._read(context, call))[0].cards
        more = {"q": query.q, "set": query.set, "cursor": page.next}
        following = urlencode({key: value for key, value in more.items() if value})
        return {
            "query": query,
            "page": page,
            "suggested": suggested,
            "next": f"/cards?{following}" if page.next else None,
        }

    async def suggestions(self, context: RequestContext) -> list[Values]:
        """Return what the list below the search field shows."""
        query = queries.parse_query(queries.SuggestionsQuery, context.scope["query_string"])
        found = (await self._read(context, catalog.suggestions_call(query.q, query.limit)))[0]
        fields = ("slug", "name", "set_name", "number", "printing")
        return [
            {name: getattr(card, name) for name in fields}
            | {"price": formats.money(card.market_price, self._currency())}
            for card in found.cards
        ]

    async def card(self, context: RequestContext) -> Values:
        query = queries.parse_query(CardPageQuery, context.scope["query_string"])
        card_id = catalog.card_id_of(context)
        card, history, printings = await self._read(
            context,
            catalog.card_call(card_id),
            catalog.history_call(card_id, queries.HistoryQuery()),
            catalog.printings_call(card_id),
        )
        offered = _price_of(query.price)
        value = await self._value(context, card.card_id, None)
        judged = None
        if offered is not None:
            judged = _Judged(offered, await self._value(context, card.card_id, offered))
        shown = _last_days(history, RANGES[query.range])
        horizon = self._poller.served.horizon if self._poller.served else 0
        return {
            "query": query,
            "card": card,
            "value": value,
            "judged": judged,
            "history": shown,
            "printings": printings.cards,
            "chart": _card_chart(card, shown, horizon, self._currency()),
            "ranges": list(RANGES),
        }

    async def movers(self, context: RequestContext) -> Values:
        query = queries.parse_query(MoversPageQuery, context.scope["query_string"])
        least = _price_of(query.min_price, "min_price", zero=True)
        wanted = queries.ChangesQuery(
            days=int(query.days),  # type: ignore[arg-type]  # one of the three
            set=query.set or UNSET,
            rarity=query.rarity or UNSET,
            min_price=DEFAULT_MIN_PRICE if least is None else least,
            limit=_MOVERS,
        )
        changes, bargains = await self._read(
            context,
            catalog.changes_call(wanted),
            catalog.movers_call(_bargains(_MOVERS, wanted.min_price)),
        )
        return {"query": query, "changes": changes, "bargains": bargains}

    async def sets(self, context: RequestContext) -> Values:
        return {"found": (await self._read(context, catalog.sets_call()))[0]}

    async def card_set(self, context: RequestContext) -> Values:
        call = catalog.set_call(context.scope["path_params"]["set_id"])
        found = (await self._read(context, call))[0]
        chart = _index_chart(f"Price index of {found.set_name}", found.dates, found.index)
        return {"found": found, "chart": chart, "index_changes": _index_changes(found.index)}

    async def status(self, context: RequestContext) -> Values:
        return {"problem": self._poller.problem}

    def _currency(self) -> str:
        return self._poller.served.currency if self._poller.served else ""

    async def _value(
        self, context: RequestContext, card_id: str, offered: float | None
    ) -> FairPrice:
        query = CardQuery(card_id, "", offered, headers=context.forwarded_headers)
        cached, _ = await self._prices.find(query)
        return msgspec.json.decode(cached.prefix + b"}", type=schemas.FairPrice)

    async def _read(self, context: RequestContext, *calls: CatalogCall) -> list[Any]:
        """Return the answers to all calls, from one version of model and data if possible.

        A model that is replaced between two calls makes them differ: they are then read again.
        """
        headers = context.forwarded_headers()
        for _ in range(2):
            found = await _all([self._reader.read(call, headers) for call in calls])
            if len({(each.model_version, each.data_version) for each in found}) == 1:
                break
        return found


def _bargains(limit: int, min_price: float = DEFAULT_MIN_PRICE) -> queries.MoversQuery:
    return queries.MoversQuery(price="low", min_price=min_price, limit=limit)


async def _all(calls: Sequence[Awaitable[Any]]) -> list[Any]:
    """Await all calls together. Raise the first error after all have ended."""
    found = await asyncio.gather(*calls, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return found


def _price_of(text: str, name: str = "price", *, zero: bool = False) -> float | None:
    """Return a price as people type it (`$3.50`, `3,50 €`), None for a blank field.

    Raise ProblemError (422).
    """
    plain = text.strip().strip("$€£ ").replace(" ", "")
    if not plain:
        return None
    decimal_comma = "," in plain and "." not in plain and len(plain.rpartition(",")[2]) <= 2
    plain = plain.replace(",", "." if decimal_comma else "")
    try:
        price = float(plain) if plain.isascii() else float("nan")
    except ValueError:
        price = float("nan")
    if not (0 < price <= 1_000_000 or (zero and price == 0)):
        raise invalid(f"?{name}", f"{text[:40]!r} is not a price like 12.50")
    return price


def _last_days(history: History, days: int | None) -> History:
    """Return the history of the last `days` market days' span, all of it for None."""
    if days is None or not history.dates:
        return history
    first = formats.later(history.dates[-1], -days)
    start = next(at for at, day in enumerate(history.dates) if day > first)
    columns = ("dates", "market_price", "low_price", "fair_price", "lower", "upper", "status")
    return msgspec.structs.replace(
        history, **{name: getattr(history, name)[start:] for name in columns}
    )


def _card_chart(
    card: schemas.CardAnswer, history: History, horizon: int, currency: str
) -> charts.Chart:
    fan = None
    if None not in (card.fair_price, card.lower, card.upper) and history.dates and horizon:
        start = card.market_price or card.fair_price
        fan = charts.Fan(horizon, start, card.fair_price, card.lower, card.upper)  # type: ignore[arg-type]
    return charts.Chart(
        title=f"Prices of {card.name} by day: market price, lowest ask, fair price and its 90% "
        "interval. The table below has the same values.",
        dates=history.dates,
        lines=(
            charts.Line("low", history.low_price),
            charts.Line("fair", history.fair_price),
            charts.Line("market", history.market_price),
        ),
        band=(history.lower, history.upper),
        fan=fan,
        prefix="€" if currency == "EUR" else "$" if currency == "USD" else "",
    )


def _index_chart(title: str, dates: Sequence[str], values: Sequence[float]) -> charts.Chart:
    return charts.Chart(title, dates, (charts.Line("market", values),))


def _index_changes(values: Sequence[float]) -> dict[str, float | None]:
    """Return the change over the last 1, 7 and 30 days, None where the index is too short."""
    return {
        formats.in_words(days): values[-1] / values[-1 - days] - 1 if len(values) > days else None
        for days in (1, 7, 30)
    }
