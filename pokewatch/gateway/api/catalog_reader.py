"""Catalogue replies of the model server, from the cache or by a call."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from pokewatch.contract import catalog_path
from pokewatch.gateway.api.catalog_checks import check_versions
from pokewatch.gateway.api.cursor import unknown_page
from pokewatch.gateway.http.problems import (
    UPSTREAM_FAULT,
    ProblemError,
    invalid,
    is_outage,
    unknown_card,
    unknown_set,
)
from pokewatch.gateway.upstream.answer_cache import AnswerCache, CachedAnswer
from pokewatch.gateway.upstream.coalescing import QueueLimit
from pokewatch.gateway.upstream.v2_client import REFUSALS, RefusedError, V2Client
from pokewatch.gateway.upstream.v2_messages import Versions, decode_refusal
from pokewatch.gateway.upstream.version_poller import VersionPoller

logger = logging.getLogger("pokewatch.gateway.api.catalog_reader")

_UNKNOWN_QUERY = "unknown query "  # how the model server's refusal of one begins
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class CatalogCall:
    """A query of the catalogue: its name and parameters, and the model of its reply.

    `check` raises ValueError if a reply does not answer the parameters; `finish` returns the reply
    with the values that the gateway adds. A reply `of_record` also changes with the track record.
    While the model server is down, the last reply to one of `instead` stands in for one to this.
    """

    name: str
    payload: dict[str, Any]
    model: Any
    check: Callable[[Any, dict[str, Any]], None]
    finish: Callable[[Any], Any] = lambda found: found
    of_record: bool = False
    instead: "Sequence[CatalogCall]" = ()


class FoundAnswer(NamedTuple):
    """An answer. It is `stale` if the model server is down; `reply` is None if it was cached."""

    cached: CachedAnswer
    stale: bool = False
    reply: Any = None


class _BatchAnswer(msgspec.Struct, frozen=True):
    """The HTTP status and body of one query of a batch."""

    status: int
    body: msgspec.Raw


class _Batch(msgspec.Struct, frozen=True):
    """The reply to a batch of queries, in their order."""

    answers: list[_BatchAnswer]


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
        self._cached_under = model
        self._path = catalog_path(model)
        self._upstream = upstream
        self._poller = poller
        self._answers = answers
        self._load = load
        self._unknown_queries: set[str] = set()

    async def find(
        self, call: CatalogCall, headers: bytes, deadline: float = math.inf
    ) -> tuple[CachedAnswer, bool]:
        """Return the answer, and whether it is stale because the model server is down.

        `headers` are forwarded to the model server, which may take until `deadline`, in the time of
        the event loop. Raise ProblemError.
        """
        found = (await self._find_all([call], headers, deadline))[0]
        return found.cached, found.stale

    async def read(self, call: CatalogCall, headers: bytes, deadline: float = math.inf) -> Any:
        """Return the answer as `call.model`. Raise ProblemError."""
        return (await self.read_all([call], headers, deadline))[0]

    async def read_all(
        self, calls: Sequence[CatalogCall], headers: bytes, deadline: float = math.inf
    ) -> list[Any]:
        """Return the answers as the calls' models. Raise the ProblemError of the first that fails.

        Those that are not cached are asked for in one request, so they are from one book.
        """
        found = await self._find_all(calls, headers, deadline)
        return [
            _decoded(call, each) if each.reply is None else each.reply
            for call, each in zip(calls, found, strict=True)
        ]

    async def _find_all(
        self, calls: Sequence[CatalogCall], headers: bytes, deadline: float
    ) -> list[FoundAnswer]:
        requests = [self._request(call) for call in calls]
        versions, market = self._poller.current_versions(), self._upstream.market
        cached = [self._answers.fresh(request, versions, market) for request in requests]
        missing = [call for call, each in zip(calls, cached, strict=True) if each is None]
        replies = iter(await self._replies(missing, headers, deadline))
        found = []
        for call, request, each in zip(calls, requests, cached, strict=True):
            if each is not None:
                found.append(FoundAnswer(each))
                continue
            reply = next(replies)
            if isinstance(reply, ProblemError):
                found.append(FoundAnswer(self._last(call, reply), stale=True))
            else:
                found.append(FoundAnswer(self._put(call, request, reply), reply=reply))
        return found

    def _request(self, call: CatalogCall) -> tuple[Any, ...]:
        """Return the key of a call in the cache."""
        settings = self._poller.settings_changes
        request = (self._cached_under, settings, call.name, *call.payload.items())
        return (*request, self._poller.current_record()) if call.of_record else request

    def _last(self, call: CatalogCall, problem: ProblemError) -> CachedAnswer:
        """Return the last answer to a call that failed in an outage, or raise the problem."""
        for each in (call, *call.instead) if is_outage(problem) else ():
            last = self._answers.stale(
                self._request(each),
                self._poller.versions,
                self._poller.polled_at,
                self._upstream.market,
            )
            if last is not None:
                return last
        raise problem

    def _put(self, call: CatalogCall, request: tuple[Any, ...], found: Any) -> CachedAnswer:
        self._poller.observe(Versions(found.model_version, found.data_version))
        prefix = _encode(found).removesuffix(b"false}")
        if call.of_record:  # another replica may have another record than the one polled
            request = (*request[:-1], found.record)
        return self._answers.put(request, prefix, found.model_version, found.data_version)

    async def _replies(
        self, calls: Sequence[CatalogCall], headers: bytes, deadline: float
    ) -> list[Any]:
        """Return the reply to each call, or its problem."""
        try:
            if len(calls) == 1:
                return [await self._call(calls[0], headers, deadline)]
            return await self._batch(calls, headers, deadline) if calls else []
        except ProblemError as problem:
            return [problem] * len(calls)

    async def _batch(
        self, calls: Sequence[CatalogCall], headers: bytes, deadline: float
    ) -> list[Any]:
        queries = [{"query": call.name, "payload": call.payload} for call in calls]
        body = await self._send("batch", {"queries": queries}, headers, deadline)
        try:
            answers = msgspec.json.decode(body, type=_Batch).answers
            if len(answers) != len(calls):
                raise ValueError(f"{len(answers)} answers to {len(calls)} queries")
        except ValueError as error:
            raise self._upstream.bad_reply(str(error)) from error
        return [self._of_batch(call, each) for call, each in zip(calls, answers, strict=True)]

    def _of_batch(self, call: CatalogCall, answer: _BatchAnswer) -> Any:
        """Return the reply to a query of a batch, or its problem."""
        body = bytes(answer.body)
        if answer.status in REFUSALS:
            refused = RefusedError(answer.status, decode_refusal(body))
            return self._problem(refused, call.name, call.payload)
        if answer.status != 200:
            return self._upstream.bad_reply(f"{answer.status} to the query {call.name!r}")
        try:
            return self._checked(call, body)
        except ProblemError as problem:
            return problem

    async def _call(self, call: CatalogCall, headers: bytes, deadline: float) -> Any:
        return self._checked(call, await self._send(call.name, call.payload, headers, deadline))

    async def _send(
        self, name: str, payload: dict[str, Any], headers: bytes, deadline: float
    ) -> bytes:
        """Return the body of the reply to a query. Raise ProblemError."""
        self._load.enter(1)
        try:
            return await self._upstream.send(
                f"{self._path}/{name}", _encode(payload), headers, deadline
            )
        except RefusedError as refused:
            raise self._problem(refused, name, payload) from refused
        finally:
            self._load.leave(1)

    def _checked(self, call: CatalogCall, body: bytes) -> Any:
        """Return a reply as the model of its call. Raise ProblemError if it is unusable."""
        try:
            found = msgspec.json.decode(body, type=call.model)
            check_versions(found)
            call.check(found, call.payload)
        except ValueError as error:
            raise self._upstream.bad_reply(str(error)) from error
        return call.finish(found)

    def _problem(self, refused: RefusedError, name: str, payload: dict[str, Any]) -> ProblemError:
        if refused.status != 404:
            return invalid("", str(refused))
        if refused.refusal.error.startswith(_UNKNOWN_QUERY):
            return self._unknown_query(name)
        if "card_id" in payload:
            return unknown_card(payload["card_id"], refused.refusal.near)
        if "set_id" in payload:
            return unknown_set(payload["set_id"])
        if "after" in payload:  # a card that another version of the data had
            return unknown_page()
        return self._upstream.bad_reply(str(refused))

    def _unknown_query(self, name: str) -> ProblemError:
        """Return the problem of a query that an older model server does not have; log it once."""
        if name not in self._unknown_queries:
            self._unknown_queries.add(name)
            market = self._upstream.market
            logger.warning(
                "the model server is older than the gateway and lacks a query",
                extra={"query": name, "market": market},
            )
        detail = f"the model server is older than the gateway and lacks the query {name!r}"
        return ProblemError(UPSTREAM_FAULT, detail)


def _decoded(call: CatalogCall, found: FoundAnswer) -> Any:
    body = found.cached.prefix + (b"true}" if found.stale else b"false}")
    return msgspec.json.decode(body, type=call.model)
