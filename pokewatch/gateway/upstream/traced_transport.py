"""Requests to the model server as spans."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from pokewatch.gateway.upstream.http_client import Reply
from pokewatch.gateway.upstream.shared_headers import LINKED_TRACE
from pokewatch.gateway.upstream.transport import ArrivingReply, Transport
from pokewatch.tracing.tracer import Span, SpanKind, Tracer, fail, traceparent_of

_TRACEPARENT = re.compile(rb"^traceparent: (.+)\r\n", re.MULTILINE)
_LINKED = re.compile(rb"^%s: (.+)\r\n" % LINKED_TRACE, re.MULTILINE)


class TracedTransport:
    """A transport whose requests are spans if their headers are of a trace.

    They are sent with the span's own `traceparent` header, so that the model server's spans are its
    children. The span of a call that other requests share is linked to theirs.
    """

    def __init__(self, transport: Transport, tracer: Tracer) -> None:
        self._transport = transport
        self._tracer = tracer

    async def send(
        self, path: str, body: bytes | None, seconds: float, headers: bytes = b""
    ) -> Reply:
        with self._span("GET" if body is None else "POST", path, headers) as (lines, describe):
            reply = await self._transport.send(path, body, seconds, lines)
            describe(reply.status)
            return reply

    @asynccontextmanager
    async def stream(
        self, path: str, headers: bytes, seconds: float
    ) -> AsyncIterator[ArrivingReply]:
        with self._span("GET", path, headers) as (lines, describe):
            async with self._transport.stream(path, lines, seconds) as reply:
                describe(reply.status)
                yield reply

    def close(self) -> None:
        self._transport.close()

    @contextmanager
    def _span(
        self, method: str, path: str, headers: bytes
    ) -> Iterator[tuple[bytes, Callable[[int], None]]]:
        """Yield the header lines to send, and what to call with the status of the reply."""
        found = _TRACEPARENT.search(headers)
        if found is None:
            yield headers, lambda _: None
            return
        name = f"{method} {path.partition('?')[0]}"
        attributes = {"http.request.method": method}
        links = [each.decode() for each in _LINKED.findall(headers)]
        with self._tracer.span(name, SpanKind.CLIENT, found[1].decode(), attributes, links) as span:
            line = b"traceparent: %s\r\n" % traceparent_of(span).encode()
            sent = _LINKED.sub(b"", _TRACEPARENT.sub(line, headers))
            yield sent, lambda status: _describe(span, status)


def _describe(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= 400:
        fail(span, str(status))
