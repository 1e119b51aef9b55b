"""Replies that are read while they arrive, from a server that sends chosen bytes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from pokewatch.gateway.upstream.http_client import (
    BrokenError,
    ConnectError,
    DeadlineError,
    HttpAddress,
    MalformedReplyError,
)
from pokewatch.gateway.upstream.http_stream import MAX_HEAD_BYTES, open_stream

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n"


@contextlib.asynccontextmanager
async def serving(
    *parts: bytes, hold: bool = False
) -> AsyncIterator[tuple[HttpAddress, list[bytes]]]:
    """Send `parts` to each request, then close or hold the connection. Yield the requests."""
    requests: list[bytes] = []
    released = asyncio.Event()

    answered: set[asyncio.Task[None] | None] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered.add(asyncio.current_task())
        try:
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0.01)
            if hold:
                await released.wait()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield HttpAddress.parse(f"http://127.0.0.1:{port}/base"), requests
    finally:
        released.set()
        server.close()
        await asyncio.gather(*filter(None, answered))
        await asyncio.sleep(0)  # transports close in the next turn of the loop


def body_of(*parts: bytes, hold: bool = False) -> bytes:
    async def run() -> bytes:
        async with (
            serving(*parts, hold=hold) as (address, _),
            open_stream(address, "/file", b"", 1.0, 0.2) as reply,
        ):
            return b"".join([part async for part in reply.body()])

    return asyncio.run(run())


@pytest.mark.parametrize(
    "parts",
    [
        (OK + b"abcdef",),
        (OK, b"abc", b"def"),
        (OK[:20], OK[20:] + b"abcdef"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            b"3\r\ndef\r\n0\r\n\r\n",
        ),
    ],
    ids=["at-once", "in-parts", "cut-head", "chunked"],
)
def test_the_body_arrives_whole(parts: tuple[bytes, ...]) -> None:
    assert body_of(*parts, hold=True) == b"abcdef"


def test_the_request_and_the_head() -> None:
    async def run() -> None:
        async with serving(OK + b"abcdef") as (address, requests):
            async with open_stream(address, "/file", b"range: bytes=0-5\r\n", 1.0, 1.0) as reply:
                assert (reply.status, reply.headers) == (200, {b"content-length": b"6"})
                assert await reply.read(4) == b"abcd"
            assert requests[0].startswith(b"GET /base/file HTTP/1.1\r\n")
            assert b"range: bytes=0-5\r\n" in requests[0]
            assert b"host: 127.0.0.1" in requests[0]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("parts", "hold", "error"),
    [
        ((OK + b"abc",), False, BrokenError),
        ((OK + b"abc",), True, DeadlineError),
        ((OK[:20],), True, DeadlineError),
        ((), False, BrokenError),
        ((b"SSH-2.0-x\r\n\r\n",), True, MalformedReplyError),
        ((b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * MAX_HEAD_BYTES,), True, MalformedReplyError),
    ],
    ids=["cut", "stalled", "head-stalled", "closed", "no-http", "endless-head"],
)
def test_a_faulty_reply_is_an_error(
    parts: tuple[bytes, ...], hold: bool, error: type[Exception]
) -> None:
    with pytest.raises(error):
        body_of(*parts, hold=hold)


def test_no_server_is_an_error() -> None:
    async def run() -> None:
        async with serving() as (address, _):
            pass
        async with open_stream(address, "/file", b"", 1.0, 1.0):
            pass

    with pytest.raises(ConnectError):
        asyncio.run(run())
