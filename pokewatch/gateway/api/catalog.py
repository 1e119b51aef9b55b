"""The operations of the catalogue, with entity tags: cards, sets, index, changes and signals."""

from hashlib import sha256
from typing import Any

import msgspec
from msgspec import UNSET

from pokewatch.contract import MAX_TEXT_LENGTH
from pokewatch.gateway.api import catalog_checks as checks
from pokewatch.gateway.api import market_schemas, queries, schemas
from pokewatch.gateway.api.catalog_reader import CatalogCall, CatalogReader
from pokewatch.gateway.api.changes_csv import CSV_HEADER, changes_csv
from pokewatch.gateway.api.cursor import decode_cursor, encode_cursor
from pokewatch.gateway.api.examples import ExampleCard, offered
from pokewatch.gateway.api.queries import parse_query, require_day
from pokewatch.gateway.api.record_checks import check_record
from pokewatch.gateway.api.record_schemas import TrackRecordAnswer
from pokewatch.gateway.http.accept import preferred
from pokewatch.gateway.http.bodies import CSV
from pokewatch.gateway.http.compression import VARY, coding_for
from pokewatch.gateway.http.middleware import JSON, Answer, Header, RequestContext
from pokewatch.gateway.http.problems import ProblemError, invalid, unknown_card, unknown_set
from pokewatch.gateway.upstream.answer_cache import etag, etag_matches

_NO_STORE: Header = (b"cache-control", b"no-store")
_REVALIDATE: Header = (b"cache-control", b"private, no-cache")
_VARY: Header = (b"vary", b"accept")  # some paths have a page or CSV too


class CatalogEndpoints:
    """Each method answers one operation."""

    def __init__(self, reader: CatalogReader) -> None:
        self._reader = reader

    async def cards(self, context: RequestContext) -> Answer:
        query = parse_query(queries.CardsQuery, context.scope["query_string"])
        return await self._answer(context, search_call(query))

    async def card(self, context: RequestContext) -> Answer:
        parse_query(queries.NoQuery, context.scope["query_string"])
        return await self._answer(context, card_call(card_id_of(context)))

    async def printings(self, context: RequestContext) -> Answer:
        parse_query(queries.NoQuery, context.scope["query_string"])
        return await self._answer(context, printings_call(card_id_of(context)))

    async def history(self, context: RequestContext) -> Answer:
        query = parse_query(queries.HistoryQuery, context.scope["query_string"])
        return await self._answer(context, history_call(card_id_of(context), query))

    async def movers(self, context: RequestContext) -> Answer:
        query = parse_query(queries.MoversQuery, context.scope["query_string"])
        return await self._answer(context, movers_call(query))

    async def suggestions(self, context: RequestContext) -> Answer:
        query = parse_query(queries.SuggestionsQuery, context.scope["query_string"])
        return await self._answer(context, suggestions_call(query.q, query.limit))

    async def sets(self, context: RequestContext) -> Answer:
        parse_query(queries.NoQuery, context.scope["query_string"])
        return await self._answer(context, sets_call())

    async def card_set(self, context: RequestContext) -> Answer:
        parse_query(queries.NoQuery, context.scope["query_string"])
        return await self._answer(context, set_call(context.scope["path_params"]["set_id"]))

    async def index(self, context: RequestContext) -> Answer:
        parse_query(queries.NoQuery, context.scope["query_string"])
        return await self._answer(context, index_call())

    async def changes(self, context: RequestContext) -> Answer:
        query = parse_query(queries.ChangesQuery, context.scope["query_string"])
        accepted = preferred(context.headers.get(b"accept", b""), (b"application/json", CSV))
        if query.format == "csv" or (query.format is UNSET and accepted == CSV):
            return await self._changes_csv(context, changes_call(query))
        return await self._answer(context, changes_call(query))

    async def track_record(self, context: RequestContext) -> Answer:
        parse_query(queries.NoQuery, context.scope["query_string"])
        return await self._answer(context, record_call())

    async def _changes_csv(self, context: RequestContext, call: CatalogCall) -> Answer:
        found = await self._reader.read(call, context.forwarded_headers())
        body = changes_csv(found)
        if found.stale:
            return 200, [CSV_HEADER, _VARY, _NO_STORE], body
        versions = (found.model_version, found.data_version)
        tag = etag(*versions, b"csv", coding_for(context.headers, len(body)))
        return _tagged(context, tag, CSV_HEADER, body)

    async def first_card(self, context: RequestContext) -> ExampleCard | None:
        """Return the first card of the served book, None if there is none."""
        try:
            call = search_call(queries.CardsQuery(limit=1))
            found = await self._reader.read(call, context.forwarded_headers())
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

    async def _answer(self, context: RequestContext, call: CatalogCall) -> Answer:
        cached, stale = await self._reader.find(call, context.forwarded_headers())
        if stale:
            return 200, [JSON, _VARY, _NO_STORE], cached.prefix + b"true}"
        body = cached.prefix + b"false}"
        versions = (cached.versions.model_version, cached.versions.data_version)
        coding = coding_for(context.headers, len(body))
        tag = _tag_of(cached.prefix, coding) if call.of_record else etag(*versions, coding)
        return _tagged(context, tag, JSON, body)


def _tagged(context: RequestContext, tag: bytes, kind: Header, body: bytes) -> Answer:
    """Return the answer, or 304 if the client has it."""
    headers = [_REVALIDATE, _VARY, (b"etag", tag)]
    if etag_matches(context.headers.get(b"if-none-match", b""), tag):
        return 304, [*headers, VARY], b""
    return 200, [kind, *headers], body


def _tag_of(content: bytes, coding: bytes) -> bytes:
    """Return the entity tag of an answer that may change while its versions stay."""
    digest = sha256(content).hexdigest()[:32].encode()
    return b'"%s"' % b"-".join(filter(None, (digest, coding)))


def search_call(query: queries.CardsQuery) -> CatalogCall:
    search = repr((query.q, query.set, query.rarity))
    payload = _set_fields(
        {"q": query.q, "set": query.set, "rarity": query.rarity, "limit": query.limit}
    )
    if query.cursor is not UNSET:
        payload["after"] = decode_cursor(query.cursor, search)

    def with_cursor(found: schemas.CardPage) -> schemas.CardPage:
        if found.next is None:
            return found
        return msgspec.structs.replace(found, next=encode_cursor(found.next, search))

    return CatalogCall("search", payload, schemas.CardPage, checks.check_page, with_cursor)


def card_call(card_id: str) -> CatalogCall:
    return CatalogCall("card", {"card_id": card_id}, schemas.CardAnswer, checks.check_card)


def printings_call(card_id: str) -> CatalogCall:
    payload = {"card_id": card_id}
    return CatalogCall("printings", payload, market_schemas.CardList, checks.check_list)


def history_call(card_id: str, query: queries.HistoryQuery) -> CatalogCall:
    days = _set_fields({"from": query.start, "to": query.end})
    checked = {name: require_day(day, f"?{name}") for name, day in days.items()}
    if checked.get("from", "") > checked.get("to", "9999-12-31"):
        raise invalid("?from", f"{checked['from']} is after `to`, {checked['to']}")
    payload = {"card_id": card_id, **checked}
    return CatalogCall("history", payload, schemas.History, checks.check_history)


def movers_call(query: queries.MoversQuery) -> CatalogCall:
    payload = _set_fields(msgspec.structs.asdict(query))
    return CatalogCall("movers", payload, schemas.Movers, checks.check_movers)


def suggestions_call(text: str, limit: int) -> CatalogCall:
    payload = {"q": text, "limit": limit}
    return CatalogCall("suggestions", payload, market_schemas.CardList, checks.check_list)


def sets_call() -> CatalogCall:
    return CatalogCall("sets", {}, market_schemas.CardSets, checks.check_sets)


def set_call(set_id: str) -> CatalogCall:
    if not 0 < len(set_id) <= MAX_TEXT_LENGTH:
        raise unknown_set(set_id[:MAX_TEXT_LENGTH])
    return CatalogCall("set", {"set_id": set_id}, market_schemas.CardSetAnswer, checks.check_set)


def index_call() -> CatalogCall:
    return CatalogCall("index", {}, market_schemas.MarketIndex, checks.check_index)


def record_call() -> CatalogCall:
    return CatalogCall("track_record", {}, TrackRecordAnswer, check_record, of_record=True)


def changes_call(query: queries.ChangesQuery) -> CatalogCall:
    fields = msgspec.structs.asdict(query)
    del fields["format"]
    payload = _set_fields(fields)
    return CatalogCall("changes", payload, market_schemas.PriceChanges, checks.check_changes)


def _set_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Drop the unset fields."""
    return {name: value for name, value in fields.items() if value is not UNSET}


def card_id_of(context: RequestContext) -> str:
    """Return the card id of the path. Raise ProblemError (404) if no id is as long."""
    card_id: str = context.scope["path_params"]["card_id"]
    if len(card_id) > MAX_TEXT_LENGTH:
        raise unknown_card(card_id[:MAX_TEXT_LENGTH])
    return card_id
