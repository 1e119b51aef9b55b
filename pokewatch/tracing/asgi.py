"""Requests of an ASGI application as spans."""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pokewatch.tracing.tracer import SpanKind, Tracer, fail, traceparent_of

_HEADER = b"traceparent"


class TracedApp:
    """ASGI middleware that makes a span of every request, and closes the tracer at the shutdown.

    `app` sees the span's own `traceparent` header, so what it forwards and logs is in the trace.
    `route_of` returns the route of a request whose response begins. A request without the header
    begins a trace where `begins_trace` is true of it.
    """

    def __init__(
        self,
        app: ASGIApp,
        tracer: Tracer,
        route_of: Callable[[Scope], str],
        begins_trace: Callable[[Scope], bool],
    ) -> None:
        self.app = app
        self._tracer = tracer
        self._route_of = route_of
        self._begins_trace = begins_trace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, self._closing(send))
            return
        given = dict(scope["headers"]).get(_HEADER, b"") if scope["type"] == "http" else b""
        if scope["type"] != "http" or not (given or self._begins_trace(scope)):
            await self.app(scope, receive, send)
            return
        method = scope["method"]
        with self._tracer.span(
            method, SpanKind.SERVER, given.decode("latin-1"), {"http.request.method": method}
        ) as span:
            others = [each for each in scope["headers"] if each[0] != _HEADER]
            scope["headers"] = [*others, (_HEADER, traceparent_of(span).encode())]

            async def send_described(message: Message) -> None:
                if message["type"] == "http.response.start":
                    route, status = self._route_of(scope), message["status"]
                    span.update_name(f"{method} {route}")
                    span.set_attributes({"http.route": route, "http.response.status_code": status})
                    if status >= 500:
                        fail(span, str(status))
                await send(message)

            await self.app(scope, receive, send_described)

    def _closing(self, send: Send) -> Send:
        """Return `send`, by which the process ends only after the last spans have been sent."""

        async def send_after_close(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await asyncio.to_thread(self._tracer.close)
            await send(message)

        return send_after_close
