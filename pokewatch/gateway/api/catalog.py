"""GET /cards, /cards/{card_id}, /cards/{card_id}/history and /movers, with entity tags."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from pokewatch.contract import CARD_ID_PATTERN
from pokewatch.gateway.api.catalog_checks import (
    check_card,
    check_history,
    check_movers,
    check_page,
    check_versions,
)
from pokewatch.gateway.api.cursor import decode_cursor, encode_cursor
from pokewatch.gateway.api.queries import (
    CardsQuery,
    HistoryQuery,
    MoversQuery,
    NoQuery,
    parse_query,
    require_day,
)
from pokewatch.gateway.api.schemas import (
    CardAnswer,
    CardPage,
    History,
    Movers,
)
from pokewatch.gateway.http.middleware import JSON, Answer, Header, RequestContext
from pokewatch.gateway.http.problems import ProblemError, invalid, is_outage, unknown_card
from pokewatch.gateway.upstream.answer_cache import AnswerCache, CachedAnswer, etag, etag_matches
from pokewatch.gateway.upstream.coalescing import QueueLimit
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client
from pokewatch.gateway.upstream.v2_messages import Versions
from pokewatch.gateway.upstream.version_poller import VersionPoller

Found = TypeVar("Found", CardAnswer, CardPage, History, Movers)

_CARD_ID = re.compile(CARD_ID_PATTERN)
_REVALIDATE: Header = (b"cache-control", b"private, no-cache")
_encode = msgspec.json.Encoder().encode


class CatalogEndpoints:
    """Card searches, cards, histories and movers, from the cache or from the model server."""

    def __init__(
        self, upstream: V2Client, poller: VersionPoller, answers: AnswerCache, load: QueueLimit
    ) -> None:
        self._upstream = upstream
        self._poller = poller
        self._answers = answers
        self._load = load

    async def cards(self, context: RequestContext) -> Answer:
        query = parse_query(CardsQuery, context.scope["query_string"])
        search = repr((query.q, query.set, query.rarity))
        payload = _set_fields(
            {"q": query.q, "set": query.set, "rarity": query.rarity, "limit": query.limit}
        )
        if query.cursor is not UNSET:
            payload["after"] = decode_cursor(query.cursor, search)

        async def page() -> CardPage:
            found = await self._call("search", payload, context, CardPage, check_page)
            if found.next is None:
                return found
            return msgspec.structs.replace(found, next=encode_cursor(found.next, search))

        return await self._answer(context, ("cards", *payload.items()), page)

    async def card(self, context: RequestContext) -> Answer:
        parse_query(NoQuery, context.scope["query_string"])
        payload = {"card_id": _card_id(context)}
        return await self._answer(
            context,
            ("card", *payload.values()),
            lambda: self._call("card", payload, context, CardAnswer, check_card),
        )

    async def history(self, context: RequestContext) -> Answer:
        query = parse_query(HistoryQuery, context.scope["query_string"])
        days = _set_fields({"from": query.start, "to": query.end})
        payload = {
            "card_id": _card_id(context),
            **{name: require_day(day, f"?{name}") for name, day in days.items()},
        }
        return await self._answer(
            context,
            ("history", *payload.items()),
            lambda: self._call("history", payload, context, History, check_history),
        )

    async def movers(self, context: RequestContext) -> Answer:
        query = parse_query(MoversQuery, context.scope["query_string"])
        payload = _set_fields(msgspec.structs.asdict(query))
        return await self._answer(
            context,
            ("movers", *payload.items()),
            lambda: self._call("movers", payload, context, Movers, check_movers),
        )

    async def _answer(
        self, context: RequestContext, request: Any, call: Callable[[], Awaitable[Any]]
    ) -> Answer:
        """Answer from the cache or `call`; if the model server is down, from the stale cache."""
        cached = self._answers.fresh(request, self._poller.current_versions())
        if cached is None:
            try:
                cached = self._put(request, await call())
            except ProblemError as problem:
                last = self._answers.stale(request) if is_outage(problem) else None
                if last is None:
                    raise
                return 200, [JSON, (b"cache-control", b"no-store")], last.prefix + b"true}"
        tag = etag(cached.versions.model_version, cached.versions.data_version)
        headers = [_REVALIDATE, (b"etag", tag)]
        if etag_matches(context.headers.get(b"if-none-match", b""), tag):
            return 304, headers, b""
        return 200, [JSON, *headers], cached.prefix + b"false}"

    def _put(self, request: Any, found: Any) -> CachedAnswer:
        self._poller.observe(Versions(found.model_version, found.data_version))
        return self._answers.put(
            request, _encode(found).removesuffix(b"false}"), found.model_version, found.data_version
        )

    async def _call(
        self,
        name: str,
        payload: dict[str, Any],
        context: RequestContext,
        model: type[Found],
        check: Callable[[Found, dict[str, Any]], None],
    ) -> Found:
        self._load.enter(1)
        try:
            body = await self._upstream.send(
                f"/catalog/{name}", _encode(payload), context.forwarded_headers()
            )
        except RefusedError as refused:
            if refused.status == 404 and "card_id" in payload:
                raise unknown_card(payload["card_id"], refused.refusal.near) from None
            if refused.status == 404:
                raise self._upstream.bad_reply(str(refused)) from refused
            raise invalid("", str(refused)) from None
        finally:
            self._load.leave(1)
        try:
            found = msgspec.json.decode(body, type=model)
            check_versions(found)
            check(found, payload)
        except ValueError as error:
            raise self._upstream.bad_reply(str(error)) from error
        return found


def _set_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Drop the unset fields."""
    return {name: value for name, value in fields.items() if value is not UNSET}


def _card_id(context: RequestContext) -> str:
    """Return the card id of the path. Raise ProblemError (404) if it is malformed."""
    card_id: str = context.scope["path_params"]["card_id"]
    if not _CARD_ID.fullmatch(card_id):
        raise unknown_card(card_id[:80])
    return card_id
