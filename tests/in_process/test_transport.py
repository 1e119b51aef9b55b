"""Replies of Starlette responses, read part by part, and the headers of requests."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.responses import StreamingResponse

from pokewatch.gateway.upstream.http_client import BrokenError, DeadlineError
from pokewatch.in_process.transport import InProcessReply, parse_headers
from pokewatch.serving.ranged_file import RangedFile


def test_header_lines_are_read_by_name() -> None:
    lines = b"X-Request-Id: a:b\r\nrange: bytes=0-5\r\n"
    assert parse_headers(lines) == {"x-request-id": "a:b", "range": "bytes=0-5"}
    assert parse_headers(b"") == {}


async def read(reply: InProcessReply) -> bytes:
    return b"".join([part async for part in reply.body()])


def test_a_file_arrives_in_parts_or_as_the_range_asked_for(tmp_path: Path) -> None:
    async def check() -> None:
        content = bytes(range(256)) * 8_000
        (tmp_path / "file").write_bytes(content)
        whole = InProcessReply(RangedFile(tmp_path / "file", "tag", "text/csv"), b"", 5.0)
        await whole.read_head()
        assert (whole.status, whole.headers[b"content-length"]) == (200, b"%d" % len(content))
        assert await read(whole) == content
        await whole.aclose()
        some = RangedFile(tmp_path / "file", "tag", "text/csv")
        part = InProcessReply(some, b"range: bytes=10-19\r\n", 5.0)
        await part.read_head()
        assert (part.status, await read(part)) == (206, content[10:20])
        await part.aclose()

    asyncio.run(check())


def test_a_reader_that_stops_ends_the_writer(tmp_path: Path) -> None:
    async def check() -> None:
        (tmp_path / "file").write_bytes(bytes(8_000_000))
        reply = InProcessReply(RangedFile(tmp_path / "file", "tag", "text/csv"), b"", 5.0)
        await reply.read_head()
        assert await reply.read(1_000) == bytes(1_000)
        await reply.aclose()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(check())


def test_a_file_that_is_gone_is_a_broken_reply(tmp_path: Path) -> None:
    async def check() -> None:
        reply = InProcessReply(RangedFile(tmp_path / "gone", "tag", "text/csv"), b"", 5.0)
        with pytest.raises(BrokenError, match="the reply ended early: "):
            await reply.read_head()

    asyncio.run(check())


def test_parts_that_do_not_arrive_in_time() -> None:
    async def check() -> None:
        async def stuck() -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.Future()

        reply = InProcessReply(StreamingResponse(stuck()), b"", 0.2)
        await reply.read_head()
        with pytest.raises(DeadlineError, match=r"nothing arrived in 0\.2 s"):
            await read(reply)
        await reply.aclose()

    asyncio.run(check())
