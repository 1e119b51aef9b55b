"""POST, GET and DELETE /watches. Nothing is sent from here: the pipeline judges and delivers."""

import asyncio
import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from pokewatch.errors import (
    ReusedKeyError,
    SettingsError,
    UnknownWatchError,
    WatchError,
    WatchStoreError,
)
from pokewatch.gateway.api.catalog_calls import card_call
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.queries import NoQuery, parse_query
from pokewatch.gateway.api.watch_schemas import (
    NewWatchAnswer,
    RemovedWatch,
    WatchAnswer,
    WatchDelivery,
    WatchList,
    WatchRequest,
    condition_fields,
    condition_of,
)
from pokewatch.gateway.api.watch_schemas import WatchFields as Fields
from pokewatch.gateway.http.bodies import decode
from pokewatch.gateway.http.middleware import JSON, NO_STORE, Answer, RequestContext
from pokewatch.gateway.http.problems import (
    FORBIDDEN,
    REUSED_IDEMPOTENCY_KEY,
    UNKNOWN_WATCH,
    WATCH_REFUSED,
    WATCHES_UNAVAILABLE,
    Fault,
    ProblemError,
    invalid,
)
from pokewatch.watches.address_guard import ClosedAddressError, parse_target
from pokewatch.watches.outbox import PENDING, RETRY_SECONDS, Delivery, Outbox
from pokewatch.watches.store import NewWatch, Watch, WatchStore

logger = logging.getLogger("pokewatch.gateway.watches")

Found = TypeVar("Found")

IDEMPOTENCY_KEY_PATTERN = "[!-~]{1,255}"
_KEY = re.compile(IDEMPOTENCY_KEY_PATTERN.encode())
_THREADS = 4
_MAX_WAITING = 64  # for a database that hangs
_RETRY_SECONDS = 5
_decode_request = msgspec.json.Decoder(WatchRequest).decode
_encode = msgspec.json.Encoder().encode


class WatchEndpoints:
    """Each method answers one operation. The database is used in threads of its own."""

    def __init__(
        self, store: WatchStore, outbox: Outbox, markets: Markets, open_hosts: tuple[str, ...]
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._markets = markets
        self._open_hosts = open_hosts
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="watches")
        self._waiting = 0

    def close(self) -> None:
        """Close the database. Raise nothing for calls that still run."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._store.close()

    async def create(self, context: RequestContext) -> Answer:
        parse_query(NoQuery, context.scope["query_string"])
        key = idempotency_key(context)
        request = decode(_decode_request, context.body)
        made = await self.add(request, context, key)
        answer = NewWatchAnswer(**_fields(made), secret=made.secret, request_id=context.request_id)
        return 200, [JSON, NO_STORE], _encode(answer)

    async def watches(self, context: RequestContext) -> Answer:
        parse_query(NoQuery, context.scope["query_string"])
        found = [Fields(**_fields(each)) for each in await self.of_key(context)]
        return 200, [JSON, NO_STORE], _encode(WatchList(found, context.request_id))

    async def watch(self, context: RequestContext) -> Answer:
        parse_query(NoQuery, context.scope["query_string"])
        found = await self._run(self._store.get, _watch_id(context), _owner(context))
        deliveries = await self._run(self._outbox.newest, found.id)
        answer = WatchAnswer(
            **_fields(found),
            deliveries=[_delivery(each) for each in deliveries],
            request_id=context.request_id,
        )
        return 200, [JSON, NO_STORE], _encode(answer)

    async def remove(self, context: RequestContext) -> Answer:
        parse_query(NoQuery, context.scope["query_string"])
        found = await self.drop(context)
        answer = RemovedWatch(**_fields(found), request_id=context.request_id)
        return 200, [JSON, NO_STORE], _encode(answer)

    async def add(
        self,
        request: WatchRequest,
        context: RequestContext,
        key: str | None = None,
        *,
        once: bool = False,
    ) -> Watch:
        """Create the watch of a request, or return that of an earlier one with the same `key`.

        With `once`, an equal one of the same owner is returned instead. Raise ProblemError.
        """
        owner = _owner(context)
        idempotency = None
        if key is not None:
            idempotency = (key, sha256(request.canonical()).hexdigest())
            earlier = await self._run(self._store.replayed, owner, *idempotency)
            if earlier is not None:
                return earlier
        new = await self._new(request, context)
        create = partial(self._store.create, once=once)
        return await self._run(create, owner, new, idempotency)

    async def of_key(self, context: RequestContext) -> list[Watch]:
        """Return the watches of the key. Raise ProblemError."""
        return await self._run(self._store.list, _owner(context))

    async def failures(self, context: RequestContext) -> list[Delivery]:
        """Return the newest failed deliveries of the key's watches. Raise ProblemError."""
        return await self._run(self._outbox.failures, _owner(context))

    async def failed_deliveries(self) -> int:
        """Return the number of deliveries of all keys that failed within a day.

        Raise ProblemError.
        """
        return await self._run(self._outbox.failed_since, RETRY_SECONDS)

    async def drop(self, context: RequestContext) -> Watch:
        """Remove the watch of the path. Raise ProblemError."""
        return await self._run(self._store.remove, _watch_id(context), _owner(context))

    async def _new(self, request: WatchRequest, context: RequestContext) -> NewWatch:
        """Return the watch to create, of a card that exists. Raise ProblemError."""
        condition = condition_of(request.condition)
        webhook = None if request.webhook is UNSET else request.webhook
        if webhook is not None:
            try:
                parse_target(webhook, self._open_hosts)
            except ClosedAddressError as error:
                raise _refused("/webhook", str(error)) from None
        reader = self._markets.of_card(request.card_id, request.market).reader
        card = await reader.read(card_call(request.card_id), context.forwarded_headers())
        if request.currency not in (UNSET, card.currency):
            detail = f"got {request.currency}, the prices are in {card.currency}"
            raise _refused("/currency", detail)
        currency = card.currency if condition.has_currency else None
        return NewWatch(card.card_id, card.slug, condition, currency, webhook, card.market)

    async def _run(self, call: Callable[..., Found], *arguments: Any) -> Found:
        """Call a method of the store in a thread. Raise ProblemError."""
        if self._waiting >= _MAX_WAITING:
            raise _unavailable()
        self._waiting += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, partial(call, *arguments))
        except UnknownWatchError as error:
            raise ProblemError(UNKNOWN_WATCH, str(error)) from None
        except ReusedKeyError as error:
            raise ProblemError(REUSED_IDEMPOTENCY_KEY, str(error)) from None
        except WatchError as error:
            raise ProblemError(WATCH_REFUSED, str(error)) from None
        except (WatchStoreError, SettingsError) as error:
            logger.error("watches unavailable", extra={"cause": str(error)})
            raise _unavailable() from None
        finally:
            self._waiting -= 1


def idempotency_key(context: RequestContext) -> str | None:
    """Return the Idempotency-Key of a request, None without one. Raise ProblemError (422)."""
    given = context.headers.get(b"idempotency-key")
    if given is not None and not _KEY.fullmatch(given):
        text = given.decode("latin-1")[:40]
        raise invalid(
            "Idempotency-Key", f"expected 1 to 255 printable ASCII characters, got {text!r}"
        )
    return None if given is None else given.decode()


def _owner(context: RequestContext) -> str:
    """Return the id of the request's key. Raise ProblemError (403) for an open page."""
    if context.key is None:
        raise ProblemError(
            FORBIDDEN,
            "watches belong to API keys, and these pages need none: use pokewatch watch list, or "
            "GET /watches with a key",
        )
    return context.key.id


def _watch_id(context: RequestContext) -> str:
    watch_id: str = context.scope["path_params"]["watch_id"]
    return watch_id


def _refused(pointer: str, detail: str) -> ProblemError:
    return ProblemError(WATCH_REFUSED, f"{pointer}: {detail}", errors=[Fault(pointer, detail)])


def _unavailable() -> ProblemError:
    detail = "the watches cannot be read or written at the moment: try again later"
    return ProblemError(WATCHES_UNAVAILABLE, detail, retry_after=_RETRY_SECONDS)


def _fields(watch: Watch) -> dict[str, Any]:
    return {
        "id": watch.id,
        "card_id": watch.card_id,
        "card": watch.slug,
        "condition": condition_fields(watch.condition),
        "market": watch.market,
        "currency": watch.currency,
        "webhook": watch.webhook,
        "state": watch.state,
        "reason": watch.reason,
        "crossings": watch.crossings,
        "crossed_on": watch.crossed_on,
        "judged_on": watch.judged_on,
        "created_at": _time(watch.created_at),
    }


def _delivery(delivery: Delivery) -> WatchDelivery:
    return WatchDelivery(
        id=delivery.id,
        state=delivery.state,  # type: ignore[arg-type]  # one of the three
        attempts=delivery.attempts,
        created_at=_time(delivery.created_at),
        next_attempt_at=_time(delivery.due_at) if delivery.state == PENDING else None,
        error=delivery.error,
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
