"""Streamed answers, sent to a client that may go away."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

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


def sent(client: Client, pieces: Any, method: str = "GET") -> None:
    scope = {"type": "http", "headers": [], "path": "/x", "method": method}
    context = RequestContext(scope, "1")
    answer = StreamedAnswer(200, [(b"content-type", b"text/csv")], aiter(pieces))
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
