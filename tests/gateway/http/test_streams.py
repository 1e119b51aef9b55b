"""Streamed answers, sent to a client that may go away."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import brotli
import pytest
from starlette.types import Message

from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.streams import BrokenBodyError, StreamedAnswer, send_stream


class Client:
    """A client that reads `patience` pieces, then disconnects."""

    def __init__(self, patience: int = 1_000) -> None:
        self.messages: list[Message] = []
        self.patience = patience
        self.gone = asyncio.Event()

    async def send(self, message: Message) -> None:
        self.messages.append(message)
        if len(self.messages) > self.patience:
            self.gone.set()
        await asyncio.sleep(0)

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)


class Pieces:
    """Pieces of which number `fault` cannot be read."""

    def __init__(self, count: int, fault: int = -1) -> None:
        self.read = 0
        self._count = count
        self._fault = fault

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for number in range(self._count):
            if number == self._fault:
                raise BrokenBodyError("the model server is gone")
            self.read += 1
            yield b"%d," % number


def sent(
    client: Client, pieces: Any, method: str = "GET", accepted: bytes = b"", length: bool = False
) -> None:
    asked = [(b"accept-encoding", accepted)] if accepted else []
    scope = {"type": "http", "path": "/x", "method": method, "headers": asked}
    context = RequestContext(scope, "1")
    headers = [(b"content-type", b"text/csv"), *[(b"content-length", b"6")] * length]
    answer = StreamedAnswer(200, headers, aiter(pieces))
    asyncio.run(send_stream(context, client.receive, client.send, answer))


def test_all_pieces_are_sent_in_order() -> None:
    client = Client()
    sent(client, Pieces(3))
    assert client.body == b"0,1,2,"
    assert client.messages[0]["status"] == 200
    assert [message.get("more_body") for message in client.messages[1:]] == [True] * 3 + [None]


def test_a_client_that_is_gone_ends_the_reading() -> None:
    pieces = Pieces(1_000)
    sent(Client(patience=5), pieces)
    assert pieces.read < 10


def test_an_error_leaves_the_response_unfinished() -> None:
    client = Client()
    sent(client, Pieces(3, fault=2))
    assert client.body == b"0,1,"
    assert client.messages[-1]["more_body"]


def test_head_has_no_body() -> None:
    client, pieces = Client(), Pieces(3)
    sent(client, pieces, "HEAD")
    assert (client.body, pieces.read, client.messages[0]["status"]) == (b"", 0, 200)


@pytest.mark.parametrize("coding", [b"gzip", b"br"])
def test_texts_are_compressed_where_that_is_asked(coding: bytes) -> None:
    client = Client()
    sent(client, Pieces(5_000), accepted=coding)
    headers = dict(client.messages[0]["headers"])
    assert (headers[b"content-encoding"], headers[b"vary"]) == (coding, b"accept-encoding")
    packed = client.body
    unpacked = brotli.decompress(packed) if coding == b"br" else gzip.decompress(packed)
    assert unpacked == b"".join(b"%d," % number for number in range(5_000))
    assert len(packed) < len(unpacked) / 2


@pytest.mark.parametrize("coding", [b"gzip", b"br"])
def test_a_compressed_body_that_breaks_has_no_end(coding: bytes) -> None:
    client = Client()
    sent(client, Pieces(5_000, fault=4_000), accepted=coding)
    assert client.messages[-1].get("more_body", True), "the end of the body was sent"
    with pytest.raises((EOFError, brotli.error)):
        brotli.decompress(client.body) if coding == b"br" else gzip.decompress(client.body)


def test_a_file_with_a_length_is_sent_as_it_is() -> None:
    client = Client()
    sent(client, Pieces(3), accepted=b"gzip, br", length=True)
    assert client.body == b"0,1,2,"
    assert b"content-encoding" not in dict(client.messages[0]["headers"])
