import asyncio

import pytest

from pokewatch.gateway.upstream.http_client import (
    BrokenError,
    ConnectError,
    DeadlineError,
    MalformedReplyError,
    TransportError,
    UpstreamHttpClient,
)
from tests.gateway.replies import OK, request_from, served
from tests.serving.server import free_ports


def test_connections_are_reused() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(5):
            sent = await request_from(reader)
            assert sent.startswith(b"POST /path HTTP/1.1\r\nhost: 127.0.0.1:")
            assert sent.endswith(
                b"x-mine: 1\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\nbody"
            )
            writer.write(OK)

    async def scenario(client: UpstreamHttpClient) -> None:
        for _ in range(5):
            reply = await client.send("/path", b"body", 10, b"x-mine: 1\r\n")
            assert (reply.status, reply.body) == (200, b"{}")

    assert served(handler, scenario) == 1


def test_a_closed_connection_is_replaced() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_from(reader)
        writer.write(OK)

    async def scenario(client: UpstreamHttpClient) -> None:
        for _ in range(3):
            assert (await client.send("/", None, 10)).status == 200

    assert served(handler, scenario) == 3


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"", BrokenError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}", BrokenError),
        (b"HTTP/1.1 200", BrokenError),
        (b"not HTTP at all\r\n\r\n", MalformedReplyError),
    ],
    ids=["closed", "cut", "cut-head", "garbage"],
)
def test_incomplete_or_malformed_replies(reply: bytes, error: type[TransportError]) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_from(reader)
        writer.write(reply)

    async def scenario(client: UpstreamHttpClient) -> None:
        with pytest.raises(error):
            await client.send("/", b"{}", 10)

    assert served(handler, scenario) == 1


def test_a_connection_is_reused_after_cancellation() -> None:
    """Idle again once the unwanted reply is complete."""
    received, reply = asyncio.Event(), asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_from(reader)
        received.set()
        await reply.wait()
        writer.write(OK.replace(b"{}", b"[]"))
        await request_from(reader)
        writer.write(OK)

    async def scenario(client: UpstreamHttpClient) -> None:
        cancelled = asyncio.ensure_future(client.send("/", b"1", 10))
        await received.wait()
        cancelled.cancel()
        reply.set()
        for _ in range(10_000):
            if client._idle:
                break
            await asyncio.sleep(0)
        assert (await client.send("/", b"2", 10)).body == b"{}"

    assert served(handler, scenario) == 1


def test_chunked_and_closing_replies() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_from(reader)
        writer.write(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
            b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
        )

    async def scenario(client: UpstreamHttpClient) -> None:
        for _ in range(2):
            assert (await client.send("/", b"{}", 10)).body == b"{}"

    assert served(handler, scenario) == 2


def test_deadline() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def scenario(client: UpstreamHttpClient) -> None:
        with pytest.raises(DeadlineError):
            await client.send("/", b"{}", 0.05)

    assert served(handler, scenario) == 1


def test_connection_refused() -> None:
    async def scenario() -> None:
        with pytest.raises(ConnectError, match=r"127\.0\.0\.1"):
            await UpstreamHttpClient(f"http://127.0.0.1:{free_ports(1)[0]}").send("/", None, 10)

    asyncio.run(scenario())


@pytest.mark.parametrize("url", ["127.0.0.1:80", "ftp://x", "http://"])
def test_invalid_urls(url: str) -> None:
    with pytest.raises(ValueError, match="expected http"):
        UpstreamHttpClient(url)


@pytest.mark.parametrize("count", [1, 16])
@pytest.mark.parametrize("separate", [False, True], ids=["one-read", "reads"])
def test_interim_replies_are_skipped(count: int, separate: bool) -> None:
    interim = [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"]

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            await request_from(reader)
            parts = [*(interim[number % 2] for number in range(count)), OK]
            for part in parts if separate else [b"".join(parts)]:
                writer.write(part)
                await asyncio.sleep(0.002)

    async def scenario(client: UpstreamHttpClient) -> None:
        for _ in range(3):
            reply = await client.send("/", b"{}", 10)
            assert (reply.status, reply.body) == (200, b"{}")

    assert served(handler, scenario) == 1


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 102 Processing\r\n\r\n" * 17 + OK,
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        OK + OK,
        OK + OK[:-2],
        OK + b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
    ids=["no-end", "switched", "two", "two-cut", "interim-after"],
)
def test_unexpected_replies(reply: bytes) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_from(reader)
        writer.write(reply)
        await reader.read()

    async def scenario(client: UpstreamHttpClient) -> None:
        with pytest.raises(MalformedReplyError):
            await client.send("/", b"{}", 10)

    assert served(handler, scenario) == 1


def test_an_upgrade_header_is_ignored() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await request_from(reader)
            writer.write(OK.replace(b"\r\n", b"\r\nconnection: upgrade\r\nupgrade: h2c\r\n", 1))

    async def scenario(client: UpstreamHttpClient) -> None:
        for _ in range(2):
            assert (await client.send("/", b"{}", 10)).body == b"{}"

    assert served(handler, scenario) == 1
