"""The outermost middleware: request ids, metrics, the access log and problem responses."""

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

from pokewatch.gateway.http.compression import SMALLEST, VARY, coding_for, compressed, is_text
from pokewatch.gateway.http.cors import CrossOrigin, preflight_headers
from pokewatch.gateway.http.logs import AccessLog, AccessRecord, stamp
from pokewatch.gateway.http.problems import (
    CONTENT_TYPE,
    METHOD,
    NOT_FOUND,
    ProblemError,
    internal_error,
)
from pokewatch.gateway.metrics import Metrics

logger = logging.getLogger("pokewatch.gateway")

Header = tuple[bytes, bytes]
Answer = tuple[int, Sequence[Header], bytes]

NO_STORE: Header = (b"cache-control", b"no-store")
# A browser may keep the answer, and asks whether it is still the same before it shows it.
REVALIDATE: Header = (b"cache-control", b"private, no-cache")


JSON: Header = (b"content-type", b"application/json")
PROBLEM: Header = (b"content-type", CONTENT_TYPE.encode())

_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
# RFC 9110, 8.6: 204 has no body, and the length of 304 would be that of the 200 response.
_WITHOUT_LENGTH = frozenset({204, 304})
_NO_SNIFF: Header = (b"x-content-type-options", b"nosniff")
_encode = msgspec.json.Encoder().encode


class Caller(Protocol):
    """The client that sent a request, identified by its key."""

    @property
    def id(self) -> str: ...

    def allows(self, scope: str) -> bool:
        """Return whether the key has the scope."""


class RequestContext:
    """The state of one request. Header names are in lower case.

    `response_headers` and `cors_headers` are added to the headers of the response.
    """

    __slots__ = (
        "body",
        "cors_headers",
        "headers",
        "key",
        "request_id",
        "response_headers",
        "route",
        "scope",
        "started",
        "status",
    )

    def __init__(self, scope: Scope, request_id: str) -> None:
        self.scope = scope
        self.headers = combined_headers(scope["headers"])
        given = self.headers.get(b"x-request-id")
        self.request_id = given.decode() if given and _REQUEST_ID.fullmatch(given) else request_id
        self.route = "other"
        self.key: Caller | None = None
        self.response_headers: Sequence[Header] = ()
        self.cors_headers: Sequence[Header] = ()
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

    def forwarded_headers(self) -> bytes:
        """Return the header lines that are forwarded to the model server."""
        lines = b"x-request-id: %s\r\n" % self.request_id.encode()
        trace = self.traceparent
        return lines + b"traceparent: %s\r\n" % trace if trace else lines


def combined_headers(lines: Sequence[Header]) -> dict[bytes, bytes]:
    """Return header lines by name. Lines of one name are one list (RFC 9110, 5.3)."""
    found = dict(lines)
    if len(found) == len(lines):
        return found
    values: dict[bytes, list[bytes]] = {}
    for name, value in lines:
        values.setdefault(name, []).append(value)
    # Cookies are not a comma-separated list (RFC 6265, 4.2).
    return {name: (b"; " if name == b"cookie" else b", ").join(v) for name, v in values.items()}


def context_of(scope: Scope) -> RequestContext:
    context: RequestContext = scope["pokewatch.context"]
    return context


async def send_response(
    context: RequestContext, send: Send, status: int, headers: Sequence[Header], body: bytes
) -> None:
    """Send a response, with the headers that all responses have, compressed where that is asked."""
    fields = response_fields(context, status, headers)
    if len(body) >= SMALLEST and is_text(headers):
        fields.append(VARY)
        if coding := coding_for(context.headers, len(body)):
            body = await compressed(body, coding)
            fields.append((b"content-encoding", coding))
    if status not in _WITHOUT_LENGTH:
        fields.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


def response_fields(
    context: RequestContext, status: int, headers: Sequence[Header]
) -> list[Header]:
    """Return the headers of a response, with those that all responses have."""
    context.status = status
    request_id = (b"x-request-id", context.request_id.encode())
    return [*headers, *context.response_headers, *context.cors_headers, request_id, _NO_SNIFF]


async def send_problem(context: RequestContext, send: Send, problem: ProblemError) -> None:
    """Send a problem as the response."""
    v2 = context.scope["path"].startswith("/v2/")
    body = _encode(problem.problem(context.request_id, v2=v2))
    headers = [PROBLEM, NO_STORE, *problem.headers]
    if problem.retry_after is not None and not any(
        name == b"retry-after" for name, _ in problem.headers
    ):
        headers.append((b"retry-after", b"%d" % problem.retry_after))
    await send_response(context, send, problem.kind.status, headers, body)


def routing_problem(error: HTTPException, method: str) -> ProblemError:
    """Return the router's 404 or 405 as a problem."""
    if error.status_code == 405:
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        detail = f"this path does not support {method}, only {allowed}"
        return ProblemError(METHOD, detail, headers=[(b"allow", allowed.encode())])
    return ProblemError(NOT_FOUND, "no route matches this path; /docs lists the routes")


class RequestMiddleware:
    """ASGI middleware that gives every request an id, records it and responds to its errors."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        access: AccessLog,
        cross_origin: CrossOrigin | None = None,
    ) -> None:
        self.app = app
        self._cross_origin = cross_origin
        self._requests = metrics.requests
        self._access = access
        self._prefix = os.urandom(6).hex()
        self._number = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = RequestContext(scope, f"{self._prefix}-{next(self._number):x}")
        scope["pokewatch.context"] = context
        try:
            if self._cross_origin is None or not await self._permitted(context, send):
                await self.app(scope, receive, send)
        except ProblemError as problem:
            if context.status:
                raise
            await send_problem(context, send, problem)
        except HTTPException as error:
            if context.status:
                raise
            await send_problem(context, send, routing_problem(error, scope["method"]))
        except Exception:
            # Raised again after the response: servers log the traceback, and tests see it.
            where = {"request_id": context.request_id, "route": context.route}
            logger.error("unhandled exception", extra=where)
            if not context.status:
                await send_problem(context, send, internal_error())
            raise
        finally:
            # Context and scope refer to each other: the garbage collector would have to free them.
            del scope["pokewatch.context"]
            self._record(context)

    async def _permitted(self, context: RequestContext, send: Send) -> bool:
        """Set the headers for other origins. Return whether it was a preflight, now answered."""
        rules = self._cross_origin
        assert rules is not None
        context.cors_headers = rules.response_headers(context.headers.get(b"origin"))
        if not rules.is_preflight(context.scope["method"], context.headers):
            return False
        context.route = "preflight"
        await send_response(context, send, 204, preflight_headers(), b"")
        return True

    def _record(self, context: RequestContext) -> None:
        seconds = time.perf_counter() - context.started
        method = context.scope["method"]
        method = method if method in _METHODS else "other"
        self._requests.add(context.route, method, context.status, seconds)
        if self._access.on:
            self._access.add(_access_record(context, seconds))


def _access_record(context: RequestContext, seconds: float) -> AccessRecord:
    scope = context.scope
    return AccessRecord(
        stamp(time.time()),
        "request",
        scope["method"],
        scope["path"][:200],
        context.route,
        context.status,
        round(seconds * 1_000, 3),
        context.request_id,
        context.address,
        context.key.id if context.key else None,
        context.traceparent.decode() or None,
    )
