"""GET /cards, /cards/{card_id}, /cards/{card_id}/history and /movers: the catalogue of the price book, with entity tags."""

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
from pokewatch.gateway.api.cursor import after, cursor
from pokewatch.gateway.api.queries import checked_day, query
from pokewatch.gateway.api.schemas import (
    CardAnswer,
    CardPage,
    CardsQuery,
    History,
    HistoryQuery,
    Movers,
    MoversQuery,
    NoQuery,
)
from pokewatch.gateway.http.middleware import JSON, Answer, Header, RequestContext
from pokewatch.gateway.http.problems import ProblemError, invalid, is_outage, unknown_card
from pokewatch.gateway.upstream.answer_cache import AnswerCache, CachedAnswer, etag, matches
from pokewatch.gateway.upstream.coalescing import QueueLimit
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client
from pokewatch.gateway.upstream.v2_messages import Versions
from pokewatch.gateway.upstream.version_poller import VersionPoller

Found = TypeVar("Found", CardAnswer, CardPage, History, Movers)

_CARD = re.compile(CARD_ID_PATTERN)
_REVALIDATE: Header = (b"cache-control", b"private, no-cache")
_encode = msgspec.json.Encoder().encode


class Catalog:
    """Asks the catalogue's endpoints of the model server, and remembers what they said."""

    def __init__(
        self, upstream: V2Client, watch: VersionPoller, answers: AnswerCache, load: QueueLimit
    ) -> None:
        self._upstream = upstream
        self._watch = watch
        self._answers = answers
        self._load = load

    async def cards(self, exchange: RequestContext) -> Answer:
        asked = query(CardsQuery, exchange.scope["query_string"])
        search = repr((asked.q, asked.set, asked.rarity))
        payload = _given(
            {"q": asked.q, "set": asked.set, "rarity": asked.rarity, "limit": asked.limit}
        )
        if asked.cursor is not UNSET:
            payload["after"] = after(asked.cursor, search)

        async def page() -> CardPage:
            found = await self._ask("search", payload, exchange, CardPage, check_page)
            return (
                found
                if found.next is None
                else msgspec.structs.replace(found, next=cursor(found.next, search))
            )

        return await self._answer(exchange, ("cards", *payload.items()), page)

    async def card(self, exchange: RequestContext) -> Answer:
        query(NoQuery, exchange.scope["query_string"])
        payload = {"card_id": _card_id(exchange)}
        return await self._answer(
            exchange,
            ("card", *payload.values()),
            lambda: self._ask("card", payload, exchange, CardAnswer, check_card),
        )

    async def history(self, exchange: RequestContext) -> Answer:
        asked = query(HistoryQuery, exchange.scope["query_string"])
        days = _given({"from": asked.start, "to": asked.end})
        payload = {
            "card_id": _card_id(exchange),
            **{name: checked_day(day, f"?{name}") for name, day in days.items()},
        }
        return await self._answer(
            exchange,
            ("history", *payload.items()),
            lambda: self._ask("history", payload, exchange, History, check_history),
        )

    async def movers(self, exchange: RequestContext) -> Answer:
        asked = query(MoversQuery, exchange.scope["query_string"])
        payload = _given(msgspec.structs.asdict(asked))
        return await self._answer(
            exchange,
            ("movers", *payload.items()),
            lambda: self._ask("movers", payload, exchange, Movers, check_movers),
        )

    async def _answer(
        self, exchange: RequestContext, request: Any, ask: Callable[[], Awaitable[Any]]
    ) -> Answer:
        """From the answers kept, from the model server, or, while that is down, from the answers kept however old."""
        kept = self._answers.fresh(request, self._watch.current())
        if kept is None:
            try:
                kept = self._keep(request, await ask())
            except ProblemError as problem:
                last = self._answers.stale(request) if is_outage(problem) else None
                if last is None:
                    raise
                return 200, [JSON, (b"cache-control", b"no-store")], last.prefix + b"true}"
        tag = etag(kept.versions.model_version, kept.versions.data_version)
        headers = [_REVALIDATE, (b"etag", tag)]
        if matches(exchange.headers.get(b"if-none-match", b""), tag):
            return 304, headers, b""
        return 200, [JSON, *headers], kept.prefix + b"false}"

    def _keep(self, request: Any, found: Any) -> CachedAnswer:
        self._watch.saw(Versions(found.model_version, found.data_version))
        return self._answers.keep(
            request, _encode(found).removesuffix(b"false}"), found.model_version, found.data_version
        )

    async def _ask(
        self,
        question: str,
        payload: dict[str, Any],
        exchange: RequestContext,
        model: type[Found],
        check: Callable[[Found, dict[str, Any]], None],
    ) -> Found:
        self._load.enter(1)
        try:
            body = await self._upstream.send(
                f"/catalog/{question}", _encode(payload), exchange.onward()
            )
        except RefusedError as refused:
            if refused.status == 404 and "card_id" in payload:
                raise unknown_card(payload["card_id"], refused.refusal.near) from None
            if refused.status == 404:
                raise self._upstream.fault(str(refused)) from refused
            raise invalid("", str(refused)) from None
        finally:
            self._load.leave(1)
        try:
            found = msgspec.json.decode(body, type=model)
            check_versions(found)
            check(found, payload)
        except ValueError as error:
            raise self._upstream.fault(str(error)) from error
        return found


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not UNSET}


def _card_id(exchange: RequestContext) -> str:
    """The card in the path. What cannot be one is unknown without asking."""
    card_id: str = exchange.scope["path_params"]["card_id"]
    if not _CARD.fullmatch(card_id):
        raise unknown_card(card_id[:80])
    return card_id
