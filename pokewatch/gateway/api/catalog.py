"""The operations of the catalogue, with entity tags: cards, sets, index, changes and signals."""

import msgspec
from msgspec import UNSET

from pokewatch.gateway.api import queries
from pokewatch.gateway.api.card_schemas import CardAnswer, CardPage, Movers
from pokewatch.gateway.api.catalog_calls import (
    card_call,
    card_id_of,
    changes_call,
    history_call,
    index_call,
    movers_call,
    position_of,
    printings_call,
    record_call,
    search_call,
    set_call,
    sets_call,
    suggestions_call,
)
from pokewatch.gateway.api.catalog_reader import CatalogCall
from pokewatch.gateway.api.changes_csv import CSV_HEADER, changes_csv
from pokewatch.gateway.api.cursor import unknown_page
from pokewatch.gateway.api.examples import ExampleCard, offered
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.markets.elsewhere import cards_elsewhere
from pokewatch.gateway.api.markets.merging import movers_of_all, page_of_all
from pokewatch.gateway.api.queries import parse_query
from pokewatch.gateway.http.accept import preferred
from pokewatch.gateway.http.bodies import CSV
from pokewatch.gateway.http.compression import VARY, coding_for
from pokewatch.gateway.http.middleware import (
    JSON,
    NO_STORE,
    REVALIDATE,
    Answer,
    Header,
    RequestContext,
)
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.upstream.answer_cache import etag, etag_matches

_encode = msgspec.json.Encoder().encode
_VARY: Header = (b"vary", b"accept")  # some paths have a page or CSV too


class CatalogEndpoints:
    """Each method answers one operation."""

    def __init__(self, markets: Markets) -> None:
        self._markets = markets

    async def cards(self, context: RequestContext) -> Answer:
        query = parse_query(queries.CardsQuery, context.scope["query_string"])
        market, after = position_of(query)
        if self._markets.several() and query.market is UNSET:
            return self._composed(context, await page_of_all(self._markets, query, context))
        backend = self._markets.chosen(query.market)
        if market and backend.id not in ("", market):
            raise unknown_page()
        return await self._answer(context, search_call(query, after), backend)

    async def card(self, context: RequestContext) -> Answer:
        query = parse_query(queries.CardMarketQuery, context.scope["query_string"])
        card = card_id_of(context)
        backend = self._markets.of_card(card, query.market)
        if self._markets.only is not None:
            return await self._answer(context, card_call(card), backend)
        headers = context.forwarded_headers()
        found = await backend.for_request(context).reader.read(card_call(card), headers)
        others = await cards_elsewhere(self._markets, backend, found, headers)
        return self._composed(context, msgspec.structs.replace(found, other_markets=others))

    async def printings(self, context: RequestContext) -> Answer:
        query = parse_query(queries.CardMarketQuery, context.scope["query_string"])
        card = card_id_of(context)
        backend = self._markets.of_card(card, query.market)
        return await self._answer(context, printings_call(card), backend)

    async def history(self, context: RequestContext) -> Answer:
        query = parse_query(queries.HistoryQuery, context.scope["query_string"])
        card = card_id_of(context)
        call = history_call(card, query)
        return await self._answer(context, call, self._markets.of_card(card, query.market))

    async def movers(self, context: RequestContext) -> Answer:
        query = parse_query(queries.MoversQuery, context.scope["query_string"])
        if self._markets.several() and query.market is UNSET:
            return self._composed(context, await movers_of_all(self._markets, query, context))
        backend = self._markets.chosen(query.market)
        return await self._answer(context, movers_call(query), backend)

    async def suggestions(self, context: RequestContext) -> Answer:
        query = parse_query(queries.SuggestionsQuery, context.scope["query_string"])
        backend = self._markets.chosen(query.market)
        return await self._answer(context, suggestions_call(query.q, query.limit), backend)

    async def sets(self, context: RequestContext) -> Answer:
        return await self._of_market(context, sets_call())

    async def card_set(self, context: RequestContext) -> Answer:
        return await self._of_market(context, set_call(context.scope["path_params"]["set_id"]))

    async def index(self, context: RequestContext) -> Answer:
        return await self._of_market(context, index_call())

    async def changes(self, context: RequestContext) -> Answer:
        query = parse_query(queries.ChangesQuery, context.scope["query_string"])
        backend = self._markets.chosen(query.market)
        accepted = preferred(context.headers.get(b"accept", b""), (b"application/json", CSV))
        if query.format == "csv" or (query.format is UNSET and accepted == CSV):
            return await self._changes_csv(context, changes_call(query), backend)
        return await self._answer(context, changes_call(query), backend)

    async def track_record(self, context: RequestContext) -> Answer:
        return await self._of_market(context, record_call())

    async def _changes_csv(
        self, context: RequestContext, call: CatalogCall, backend: MarketBackend
    ) -> Answer:
        reader = backend.for_request(context).reader
        found = await reader.read(call, context.forwarded_headers())
        body = changes_csv(found)
        if found.stale:
            return 200, [CSV_HEADER, _VARY, NO_STORE], body
        return _tagged(context, CSV_HEADER, body)

    async def first_card(self, context: RequestContext) -> ExampleCard | None:
        """Return the first card of the first market, None if there is none."""
        try:
            call = search_call(queries.CardsQuery(limit=1))
            found = await self._markets.first.reader.read(call, context.forwarded_headers())
        except ProblemError:
            return None
        if not found.cards:
            return None
        card = found.cards[0]
        return ExampleCard(
            card.slug,
            card.name,
            card.set_id,
            card.set_name,
            card.number or "",
            card.rarity or "",
            card.date,
            offered(card.market_price),
        )

    async def _of_market(self, context: RequestContext, call: CatalogCall) -> Answer:
        query = parse_query(queries.MarketQuery, context.scope["query_string"])
        return await self._answer(context, call, self._markets.chosen(query.market))

    async def _answer(
        self, context: RequestContext, call: CatalogCall, backend: MarketBackend
    ) -> Answer:
        reader = backend.for_request(context).reader
        cached, stale = await reader.find(call, context.forwarded_headers())
        if stale:
            return 200, [JSON, _VARY, NO_STORE], cached.prefix + b"true}"
        return _tagged(context, JSON, cached.prefix + b"false}")

    def _composed(self, context: RequestContext, found: CardAnswer | CardPage | Movers) -> Answer:
        """Return an answer from several markets, with an entity tag if all of it is current."""
        body = _encode(found)
        if found.stale or (not isinstance(found, CardAnswer) and found.unavailable):
            return 200, [JSON, _VARY, NO_STORE], body
        return _tagged(context, JSON, body)


def _tagged(context: RequestContext, kind: Header, body: bytes) -> Answer:
    """Return the answer with its entity tag, or 304 if the client has it."""
    tag = etag(body, coding_for(context.headers, len(body)))
    headers = [REVALIDATE, _VARY, (b"etag", tag)]
    if etag_matches(context.headers.get(b"if-none-match", b""), tag):
        return 304, [*headers, VARY], b""
    return 200, [kind, *headers], body
