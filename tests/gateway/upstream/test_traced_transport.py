"""Requests to the model server as spans."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pokewatch.gateway.api.composition import CardQuery
from pokewatch.gateway.upstream.http_client import DeadlineError, Reply
from pokewatch.gateway.upstream.shared_headers import linked_headers
from pokewatch.gateway.upstream.traced_transport import TracedTransport
from pokewatch.gateway.upstream.transport import ArrivingReply, Transport
from pokewatch.tracing.tracer import Tracer
from tests.tracing.collector import collecting
from tests.tracing.test_tracer import CALLER, TRACE

OF_TRACE = f"x-request-id: r\r\ntraceparent: 00-{TRACE}-{CALLER}-01\r\n".encode()


class Answers(Transport):
    """Answers with a status, and keeps the header lines of requests."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.headers: list[bytes] = []

    async def send(
        self, path: str, body: bytes | None, seconds: float, headers: bytes = b""
    ) -> Reply:
        self.headers.append(headers)
        if not self.status:
            raise DeadlineError("late")
        return Reply(self.status, b"{}")

    @asynccontextmanager
    async def stream(
        self, path: str, headers: bytes, seconds: float
    ) -> AsyncIterator[ArrivingReply]:
        self.headers.append(headers)
        yield self  # type: ignore[misc]  # a reply of which only the status is read

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("status", "error"), [(200, None), (422, "422"), (0, "DeadlineError")], ids=str
)
def test_a_request_in_a_trace_is_a_span(status: int, error: str | None) -> None:
    async def check() -> None:
        with collecting() as collector:
            tracer, answers = Tracer("tests", collector.url), Answers(status)
            transport = TracedTransport(answers, tracer)
            try:
                reply = await transport.send("/v2/models/x/infer", b"{}", 1.0, OF_TRACE)
                assert reply.status == status
            except DeadlineError:
                assert status == 0
            async with transport.stream("/catalog/export.csv?history=c", OF_TRACE, 1.0) as stream:
                assert stream.status == status
            tracer.close()
        spans = collector.of(TRACE)
        span = spans["POST /v2/models/x/infer"]
        assert (span.kind, span.parent, span.failed) == ("CLIENT", CALLER, error is not None)
        assert span.attributes.get("error.type") == error
        sent = [f"00-{TRACE}-{each.id}-01".encode() for each in spans.values()]
        assert sent == [each.split(b"traceparent: ")[1].strip() for each in answers.headers]
        assert all(each.startswith(b"x-request-id: r\r\n") for each in answers.headers)
        assert list(spans)[1] == "GET /catalog/export.csv"

    asyncio.run(check())


def test_a_poll_is_in_no_trace() -> None:
    async def check() -> None:
        with collecting() as collector:
            tracer, answers = Tracer("tests", collector.url), Answers(200)
            transport = TracedTransport(answers, tracer)
            await transport.send("/v2/models/decision/ready", None, 1.0)
            tracer.close()
        assert (collector.spans, answers.headers) == ([], [b""])

    asyncio.run(check())


def test_a_shared_call_is_linked_to_the_requests_that_share_it() -> None:
    lines = [f"x-request-id: r\r\ntraceparent: 00-{TRACE}-{n:016x}-01\r\n" for n in (1, 2, 3, 3)]
    rows = [CardQuery("card_1", "", None, headers=line.encode) for line in lines]

    async def check() -> None:
        with collecting() as collector:
            tracer, answers = Tracer("tests", collector.url), Answers(200)
            transport = TracedTransport(answers, tracer)
            await transport.send("/v2/models/x/infer", b"{}", 1.0, linked_headers(rows))
            tracer.close()
        [span] = collector.spans
        assert (span.parent, span.links) == (f"{1:016x}", (f"{2:016x}", f"{3:016x}"))
        sent = f"x-request-id: r\r\ntraceparent: 00-{TRACE}-{span.id}-01\r\n"
        assert answers.headers == [sent.encode()]

    asyncio.run(check())
