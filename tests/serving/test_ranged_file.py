import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from pokewatch.serving.ranged_file import RangedFile

CONTENT = bytes(range(256)) * 4_096  # four chunks


def ask(path: Path, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"type": "http", "method": method, "headers": given}
    asyncio.run(RangedFile(path, "tag", "text/csv")(scope, receive, send))
    found: Mapping[bytes, bytes] = dict(sent[0]["headers"])
    body = b"".join(message["body"] for message in sent[1:])
    return sent[0]["status"], {n.decode(): v.decode() for n, v in found.items()}, body


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "file"
    found.write_bytes(CONTENT)
    return found


def test_the_whole_file(path: Path) -> None:
    status, headers, body = ask(path)
    assert (status, body) == (200, CONTENT)
    assert headers["etag"] == '"tag"'
    assert headers["accept-ranges"] == "bytes"
    assert headers["content-length"] == str(len(CONTENT))


@pytest.mark.parametrize(
    ("given", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-", 5, len(CONTENT)),
        ("bytes=300000-600000", 300_000, 600_001),
        ("bytes=-7", len(CONTENT) - 7, len(CONTENT)),
        (f"bytes=-{2 * len(CONTENT)}", 0, len(CONTENT)),
        (f"bytes=9-{9 * len(CONTENT)}", 9, len(CONTENT)),
    ],
)
def test_a_range(path: Path, given: str, start: int, end: int) -> None:
    status, headers, body = ask(path, range=given)
    assert status == 206
    assert body == CONTENT[start:end]
    assert headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert headers["content-length"] == str(end - start)


@pytest.mark.parametrize(
    "given", ["bytes=5-2", "bytes=0-1,4-5", "bytes=", "items=0-1", "bytes=a-b", "bytes=-"]
)
def test_a_range_that_is_not_understood_is_ignored(path: Path, given: str) -> None:
    status, headers, body = ask(path, range=given)
    assert (status, len(body)) == (200, len(CONTENT))
    assert "content-range" not in headers


@pytest.mark.parametrize("given", [f"bytes={len(CONTENT)}-", "bytes=-0", f"bytes={'9' * 18}-"])
def test_a_range_after_the_end(path: Path, given: str) -> None:
    status, headers, body = ask(path, range=given)
    assert (status, body) == (416, b"")
    assert headers["content-range"] == f"bytes */{len(CONTENT)}"
    assert headers["content-length"] == "0"


@pytest.mark.parametrize(
    ("tag", "status"), [('"tag"', 206), ('"other"', 200), ('W/"tag"', 200)], ids=str
)
def test_a_range_of_another_file_is_not_sent(path: Path, tag: str, status: int) -> None:
    assert ask(path, range="bytes=0-9", if_range=tag)[0] == status


@pytest.mark.parametrize(
    ("tag", "status"), [('"tag"', 304), ('"a", W/"tag"', 304), ("*", 304), ('"tag2"', 200)], ids=str
)
def test_a_file_that_the_client_has_is_not_sent(path: Path, tag: str, status: int) -> None:
    found, headers, body = ask(path, if_none_match=tag, range="bytes=0-9" if status == 304 else "")
    assert found == status
    assert headers["etag"] == '"tag"'
    assert (body == b"") == (status == 304)


def test_head_has_the_headers_alone(path: Path) -> None:
    status, headers, body = ask(path, "HEAD")
    assert (status, body, headers["content-length"]) == (200, b"", str(len(CONTENT)))


def test_only_get_has_ranges(path: Path) -> None:
    status, headers, body = ask(path, "HEAD", range="bytes=0-9")
    assert (status, body, headers["content-length"]) == (200, b"", str(len(CONTENT)))


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert ask(path)[::2] == (200, b"")
    assert ask(path, range="bytes=0-")[0] == 416


def test_a_file_that_becomes_shorter_ends_the_response(path: Path) -> None:
    """An error closes the connection, so that the client knows. A loop would send for ever."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)
        os.truncate(path, len(CONTENT) // 2)
        assert len(sent) < 10

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope: dict[str, Any] = {"type": "http", "method": "GET", "headers": []}
    with pytest.raises(OSError, match="ended before"):
        asyncio.run(RangedFile(path, "tag", "text/csv")(scope, receive, send))
    assert b"".join(message["body"] for message in sent[1:]) == CONTENT[: len(CONTENT) // 2]
