"""Servers with replies given by a test, and the gateway's client in front of them."""

import asyncio
from collections.abc import Awaitable, Callable

from pokewatch.gateway.upstream.http_client import UpstreamHttpClient

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def served(handler: Handler, scenario: Callable[[UpstreamHttpClient], Awaitable[None]]) -> int:
    """Run `scenario` against a server with `handler`. Return the number of connections."""
    count = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        try:
            await handler(reader, writer)
        finally:
            writer.close()

    async def run() -> None:
        async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
            client = UpstreamHttpClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            await scenario(client)
            client.close()

    asyncio.run(run())
    return count


async def request_from(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.startswith(b"content-length")
        ),
        0,
    )
    return head + await reader.readexactly(length)


def answered(status: int, body: Callable[[], bytes]) -> Handler:
    """Return a handler that replies to every request with `status` and `body()`."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            await request_from(reader)
            content = body()
            writer.write(
                b"HTTP/1.1 %d x\r\ncontent-length: %d\r\n\r\n%s" % (status, len(content), content)
            )

    return handler
