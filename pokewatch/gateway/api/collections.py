"""POST /collections/value and /cards/resolve."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from pokewatch.gateway.api.collection_schemas import (
    CollectionRequest,
    CollectionWorth,
    ResolvedCards,
    ResolveRequest,
    field_texts,
)
from pokewatch.gateway.api.composition import fees_misfit
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.queries import FeesQuery, MarketQuery, parse_query
from pokewatch.gateway.http.bodies import CSV, decode
from pokewatch.gateway.http.middleware import JSON, NO_STORE, Answer, RequestContext
from pokewatch.gateway.http.problems import (
    OTHER_CURRENCY,
    OVERLOADED,
    UNREADABLE_FILE,
    ProblemError,
    invalid,
)
from pokewatch.gateway.upstream.v2_client import RefusedError
from pokewatch.gateway.upstream.v2_messages import Versions

_MAX_CONCURRENT = 2  # each takes seconds of the model server's time
_decode_request = msgspec.json.Decoder(CollectionRequest).decode
_decode_cards = msgspec.json.Decoder(ResolveRequest).decode
_decode_resolved = msgspec.json.Decoder(ResolvedCards).decode
_decode_worth = msgspec.json.Decoder(CollectionWorth).decode
_encode = msgspec.json.Encoder().encode


class CollectionEndpoint:
    """Values collections, lines or the file of an app, and finds cards. Nothing is stored."""

    def __init__(self, markets: Markets) -> None:
        self._markets = markets
        self._running = asyncio.Semaphore(_MAX_CONCURRENT)

    async def value(self, context: RequestContext) -> Answer:
        query = parse_query(FeesQuery, context.scope["query_string"])
        fees = None if query.fees is UNSET else query.fees
        market = self._markets.chosen(query.market)
        kind = context.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind == CSV:
            found = await self.value_file(context.body, fees, context, market)
        else:
            request = decode(_decode_request, context.body)
            lines = [field_texts(line) for line in request.lines]
            given = fees if request.fees is UNSET else request.fees
            found = await self._call({"lines": lines, "fees": given}, context, market)
        return _answer(found, context)

    async def resolve(self, context: RequestContext) -> Answer:
        query = parse_query(MarketQuery, context.scope["query_string"])
        market = self._markets.chosen(query.market)
        request = decode(_decode_cards, context.body)
        payload = {"lines": [field_texts(line) for line in request.cards]}
        found: ResolvedCards = await self._send(
            "resolve", payload, _decode_resolved, context, market
        )
        if len(found.cards) != len(request.cards):
            detail = f"{len(found.cards)} cards for {len(request.cards)}"
            raise market.slow_collections.bad_reply(detail)
        return _answer(found, context)

    async def value_file(
        self, content: bytes, fees: str | None, context: RequestContext, market: MarketBackend
    ) -> CollectionWorth:
        """Return the worth of the collection in a file. Raise ProblemError."""
        payload = {"file": b64encode(content).decode(), "fees": fees}
        return await self._call(payload, context, market)

    async def _call(
        self, payload: dict[str, Any], context: RequestContext, market: MarketBackend
    ) -> CollectionWorth:
        served = market.poller.served
        misfit = fees_misfit(payload["fees"] or "", served.currency) if served else None
        if misfit is not None:
            raise ProblemError(OTHER_CURRENCY, misfit)
        found: CollectionWorth = await self._send(
            "collection", payload, _decode_worth, context, market
        )
        return found

    async def _send(
        self,
        query: str,
        payload: dict[str, Any],
        decoder: Callable[[bytes], Any],
        context: RequestContext,
        market: MarketBackend,
    ) -> Any:
        if self._running.locked():
            detail = "other collections are being valued: try again in a few seconds"
            raise ProblemError(OVERLOADED, detail, retry_after=5)
        async with self._running:
            try:
                body = await market.slow_collections.send(
                    f"{market.catalog}/{query}", _encode(payload), context.forwarded_headers()
                )
            except RefusedError as refused:
                if "file" in payload:
                    raise ProblemError(UNREADABLE_FILE, str(refused)) from None
                raise invalid("", str(refused)) from None
        try:
            found = decoder(body)
        except ValueError as error:
            raise market.slow_collections.bad_reply(str(error)) from error
        market.poller.observe(Versions(found.model_version, found.data_version))
        return found


def _answer(found: CollectionWorth | ResolvedCards, context: RequestContext) -> Answer:
    body = _encode(found)[:-1] + b',"request_id":"%s"}' % context.request_id.encode()
    return 200, [JSON, NO_STORE], body
