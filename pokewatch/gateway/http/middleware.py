"""One request and its answer: the outermost middleware gives every request an id, counts it, logs it and answers its problems."""

import logging
import os
import re
import time
from collections.abc import Sequence
from itertools import count
from typing import Protocol

import msgspec
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from pokewatch.gateway.http.logs import AccessLog, Line, stamp
from pokewatch.gateway.http.problems import CONTENT_TYPE, INTERNAL, METHOD, NOT_FOUND, ProblemError
from pokewatch.gateway.metrics import Metrics

logger = logging.getLogger("pokewatch.gateway")

Header = tuple[bytes, bytes]
Answer = tuple[int, Sequence[Header], bytes]
JSON: Header = (b"content-type", b"application/json")
PROBLEM: Header = (b"content-type", CONTENT_TYPE.encode())

_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_NO_SNIFF: Header = (b"x-content-type-options", b"nosniff")
_encode = msgspec.json.Encoder().encode


class Caller(Protocol):
    """Who sent a request, as its key says."""

    @property
    def id(self) -> str: ...

    def allows(self, scope: str) -> bool:
        """Whether the key has a scope."""


class RequestContext:
    """What the middleware and the endpoint know about one request. Header names are in lower case."""

    __slots__ = (
        "added",
        "body",
        "headers",
        "key",
        "request_id",
        "route",
        "scope",
        "started",
        "status",
    )

    def __init__(self, scope: Scope, request_id: str) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        given = self.headers.get(b"x-request-id")
        self.request_id = given.decode() if given and _REQUEST_ID.fullmatch(given) else request_id
        self.route = "other"
        self.key: Caller | None = None
        self.added: Sequence[Header] = ()
        self.body = b""
        self.status = 0
        self.started = time.perf_counter()

    @property
    def traceparent(self) -> bytes:
        given = self.headers.get(b"traceparent")
        return given if given and _TRACEPARENT.fullmatch(given) else b""

    @property
    def address(self) -> str:
        client = self.scope.get("client")
        return str(client[0]) if client else "unknown"

    def onward(self) -> bytes:
        """The header lines that go on to the model server."""
        request_id, trace = self.request_id.encode(), self.traceparent
        return (
            b"x-request-id: %s\r\ntraceparent: %s\r\n" % (request_id, trace)
            if trace
            else b"x-request-id: %s\r\n" % request_id
        )


def context_of(scope: Scope) -> RequestContext:
    exchange: RequestContext = scope["pokewatch.exchange"]
    return exchange


async def answer(
    exchange: RequestContext, send: Send, status: int, headers: Sequence[Header], body: bytes
) -> None:
    """The one place that answers: with the fields that every answer has."""
    exchange.status = status
    every = [*headers, *exchange.added, (b"x-request-id", exchange.request_id.encode()), _NO_SNIFF]
    if status != 304:  # which has the length of what it does not send (RFC 9110, 8.6)
        every.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": every})
    await send({"type": "http.response.body", "body": body})


async def answer_problem(exchange: RequestContext, send: Send, problem: ProblemError) -> None:
    body = _encode(
        problem.problem(exchange.request_id, v2=exchange.scope["path"].startswith("/v2/"))
    )
    headers = [PROBLEM, (b"cache-control", b"no-store"), *problem.headers]
    if problem.retry_after is not None and not any(
        name == b"retry-after" for name, _ in problem.headers
    ):
        headers.append((b"retry-after", b"%d" % problem.retry_after))
    await answer(exchange, send, problem.kind.status, headers, body)


def unrouted(error: HTTPException, method: str) -> ProblemError:
    """The router's own 404 and 405 as problems."""
    if error.status_code == 405:
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        return ProblemError(
            METHOD, f"{method} is not one of {allowed}", headers=[(b"allow", allowed.encode())]
        )
    return ProblemError(NOT_FOUND, "there is nothing at this address")


class RequestMiddleware:
    """Plain ASGI middleware, the outermost of ours."""

    def __init__(self, app: ASGIApp, metrics: Metrics, access: AccessLog) -> None:
        self.app = app
        self._requests = metrics.requests
        self._access = access
        self._prefix = os.urandom(6).hex()
        self._number = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = scope["pokewatch.exchange"] = RequestContext(
            scope, f"{self._prefix}-{next(self._number):x}"
        )
        try:
            await self.app(scope, receive, send)
        except ProblemError as problem:
            if exchange.status:
                raise
            await answer_problem(exchange, send, problem)
        except HTTPException as error:
            if exchange.status:
                raise
            await answer_problem(exchange, send, unrouted(error, scope["method"]))
        except Exception:
            # Raised again after the answer, so that the server logs the traceback and a test sees it.
            logger.error(
                "defect", extra={"request_id": exchange.request_id, "route": exchange.route}
            )
            if not exchange.status:
                await answer_problem(
                    exchange, send, ProblemError(INTERNAL, "the gateway failed; its log tells why")
                )
            raise
        finally:
            # Exchange and scope would keep each other alive until the garbage collector came by.
            del scope["pokewatch.exchange"]
            self._note(exchange)

    def _note(self, exchange: RequestContext) -> None:
        took = time.perf_counter() - exchange.started
        method = exchange.scope["method"]
        self._requests.add(
            exchange.route, method if method in _METHODS else "other", exchange.status, took
        )
        if self._access.on:
            self._access.add(_line(exchange, took))


def _line(exchange: RequestContext, took: float) -> Line:
    scope = exchange.scope
    return Line(
        stamp(time.time()),
        "request",
        scope["method"],
        scope["path"][:200],
        exchange.route,
        exchange.status,
        round(took * 1_000, 3),
        exchange.request_id,
        exchange.address,
        exchange.key.id if exchange.key else None,
        exchange.traceparent.decode() or None,
    )
