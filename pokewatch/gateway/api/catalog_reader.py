"""Catalogue replies of the model server, from the cache or by a call."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from pokewatch.contract import catalog_path
from pokewatch.gateway.api.catalog_checks import check_versions
from pokewatch.gateway.http.problems import (
    ProblemError,
    invalid,
    is_outage,
    unknown_card,
    unknown_set,
)
from pokewatch.gateway.upstream.answer_cache import AnswerCache, CachedAnswer
from pokewatch.gateway.upstream.coalescing import QueueLimit
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client
from pokewatch.gateway.upstream.v2_messages import Versions
from pokewatch.gateway.upstream.version_poller import VersionPoller

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class CatalogCall:
    """A query of the catalogue: its name and parameters, and the model of its reply.

    `check` raises ValueError if a reply does not answer the parameters; `finish` returns the reply
    with the values that the gateway adds. A reply `of_record` also changes with the track record.
    """

    name: str
    payload: dict[str, Any]
    model: Any
    check: Callable[[Any, dict[str, Any]], None]
    finish: Callable[[Any], Any] = lambda found: found
    of_record: bool = False


class CatalogReader:
    """Reads the catalogue of the book that `model` serves. Shared by the API and the pages."""

    def __init__(
        self,
        model: str,
        upstream: V2Client,
        poller: VersionPoller,
        answers: AnswerCache,
        load: QueueLimit,
    ) -> None:
        self._model = model
        self._path = catalog_path(model)
        self._upstream = upstream
        self._poller = poller
        self._answers = answers
        self._load = load

    async def find(
        self, call: CatalogCall, headers: bytes, deadline: float = math.inf
    ) -> tuple[CachedAnswer, bool]:
        """Return the answer, and whether it is stale because the model server is down.

        `headers` are forwarded to the model server, which may take until `deadline`, in the time of
        the event loop. Raise ProblemError.
        """
        request = (self._model, call.name, *call.payload.items())
        if call.of_record:
            request = (*request, self._poller.current_record())
        cached = self._answers.fresh(
            request, self._poller.current_versions(), self._upstream.market
        )
        if cached is not None:
            return cached, False
        try:
            found = call.finish(await self._call(call, headers, deadline))
        except ProblemError as problem:
            last = (
                self._answers.stale(request, self._upstream.market) if is_outage(problem) else None
            )
            if last is None:
                raise
            return last, True
        self._poller.observe(Versions(found.model_version, found.data_version))
        prefix = _encode(found).removesuffix(b"false}")
        if call.of_record:  # another replica may have another record than the one polled
            request = (*request[:-1], found.record)
        return self._answers.put(request, prefix, found.model_version, found.data_version), False

    async def read(self, call: CatalogCall, headers: bytes, deadline: float = math.inf) -> Any:
        """Return the answer as `call.model`. Raise ProblemError."""
        cached, stale = await self.find(call, headers, deadline)
        body = cached.prefix + (b"true}" if stale else b"false}")
        return msgspec.json.decode(body, type=call.model)

    async def _call(self, call: CatalogCall, headers: bytes, deadline: float) -> Any:
        self._load.enter(1)
        try:
            body = await self._upstream.send(
                f"{self._path}/{call.name}", _encode(call.payload), headers, deadline
            )
        except RefusedError as refused:
            raise self._problem(refused, call.payload) from refused
        finally:
            self._load.leave(1)
        try:
            found = msgspec.json.decode(body, type=call.model)
            check_versions(found)
            call.check(found, call.payload)
        except ValueError as error:
            raise self._upstream.bad_reply(str(error)) from error
        return found

    def _problem(self, refused: RefusedError, payload: dict[str, Any]) -> ProblemError:
        if refused.status != 404:
            return invalid("", str(refused))
        if "card_id" in payload:
            return unknown_card(payload["card_id"], refused.refusal.near)
        if "set_id" in payload:
            return unknown_set(payload["set_id"])
        return self._upstream.bad_reply(str(refused))
