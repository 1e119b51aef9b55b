"""Requests of an application as spans."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from pokewatch.tracing.asgi import TracedApp
from pokewatch.tracing.tracer import Tracer
from tests.tracing.collector import Collector
from tests.tracing.test_tracer import CALLER, TRACE

GIVEN = (b"traceparent", f"00-{TRACE}-{CALLER}-01".encode())


def ask(
    collector: Collector, status: int = 200, path: str = "/cards", *headers: tuple[bytes, bytes]
) -> list[bytes]:
    """Send a request and then the shutdown; return the `traceparent` headers the app has seen."""
    seen: list[bytes] = []
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.shutdown.complete"})
            return
        seen.extend(value for name, value in scope["headers"] if name == b"traceparent")
        if status == 0:
            raise LookupError("a card")
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "lifespan.shutdown.complete":
            # The spans have arrived before uvicorn hears that it may stop.
            assert len(collector.spans) == len(seen)

    async def check() -> None:
        tracer = Tracer("tests", collector.url)
        traced = TracedApp(app, tracer, lambda _: "/cards", lambda scope: scope["path"] != "/ready")
        scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": path,
            "headers": [(b"a", b"b"), *headers],
        }
        try:
            await traced(scope, receive, send)
        finally:
            await traced({"type": "lifespan"}, receive, send)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    asyncio.run(check())
    return seen


def test_a_request_is_a_span_of_the_callers_trace(collector: Collector) -> None:
    [seen] = ask(collector, 200, "/cards", GIVEN)
    [span] = collector.spans
    assert seen == f"00-{TRACE}-{span.id}-01".encode()
    assert (span.trace, span.parent) == (TRACE, CALLER)
    assert (span.name, span.kind, span.failed) == ("GET /cards", "SERVER", False)
    assert span.attributes == {
        "http.request.method": "GET",
        "http.route": "/cards",
        "http.response.status_code": 200,
    }


@pytest.mark.parametrize(("status", "failed"), [(404, False), (503, True)])
def test_only_a_fault_of_the_server_fails_a_span(
    collector: Collector, status: int, failed: bool
) -> None:
    ask(collector, status)
    [span] = collector.spans
    assert (span.attributes["http.response.status_code"], span.failed) == (status, failed)


def test_an_application_that_raises(collector: Collector) -> None:
    with pytest.raises(LookupError):
        ask(collector, 0)
    [span] = collector.spans
    assert (span.name, span.failed, span.attributes["error.type"]) == ("GET", True, "LookupError")


def test_a_probe_begins_no_trace_but_may_be_of_one(collector: Collector) -> None:
    assert ask(collector, 200, "/ready") == []
    assert collector.spans == []
    ask(collector, 200, "/ready", GIVEN)
    assert [each.trace for each in collector.spans] == [TRACE]
