"""One response to each request, however it is framed and split into reads."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from pokewatch.gateway.app import raise_problem
from pokewatch.gateway.http.logs import AccessLog
from pokewatch.gateway.http.middleware import JSON, RequestMiddleware, context_of, send_response
from pokewatch.gateway.http.problems import MALFORMED, ProblemError
from pokewatch.gateway.http.streams import StreamedAnswer, send_stream
from pokewatch.gateway.http.uvicorn_protocol import MAX_PIPELINED
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.server import uvicorn_config
from pokewatch.settings import GatewaySettings

SETTINGS = GatewaySettings.read(mlserver_url="http://127.0.0.1:9", access_log=False)
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
HEAD = b"POST /bad HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


async def parts() -> AsyncIterator[bytes]:
    yield b'["a",'
    yield b'"b"]'


class Echo(RequestMiddleware):
    """Responds with the method, path and body of each request, or with `parts` to /parts."""

    def __init__(self) -> None:
        metrics = Metrics()
        super().__init__(self._echo, metrics, AccessLog(None))
        self.error_app = RequestMiddleware(raise_problem, metrics, AccessLog(None))

    def served(self) -> "Echo":
        return self

    async def _echo(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ProblemError(MALFORMED, "the body is incomplete")
            body += message["body"]
            more = message["more_body"]
        await asyncio.sleep(0)
        if scope["path"] == "/parts":
            answer = StreamedAnswer(200, [JSON], parts())
            await send_stream(context_of(scope), receive, send, answer)
            return
        found = json.dumps([scope["method"], scope["path"], body.decode("latin-1")])
        await send_response(context_of(scope), send, 200, [JSON], found.encode())


CONFIG = uvicorn_config(Echo(), SETTINGS)  # type: ignore[arg-type]
CONFIG.load()


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = [*sorted({cut % len(data) for cut in cuts} - {0}), len(data)]
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def converse(pieces: list[bytes], eof: bool = False) -> bytes:
    """Send the pieces on one connection, each in a read of its own. Return all that is received.

    With `eof` the client half-closes the connection afterwards.
    """

    async def run() -> bytes:
        loop = asyncio.get_running_loop()
        state, (client, server) = ServerState(), socket.socketpair()
        client.setblocking(False)
        protocol: Any = CONFIG.http_protocol_class
        await loop.connect_accepted_socket(lambda: protocol(CONFIG, state, {}), server)
        with client:
            with suppress(ConnectionError):  # the server closes after the last answer
                for piece in pieces:
                    await loop.sock_sendall(client, piece)
                    for _ in range(4):
                        await asyncio.sleep(0)
            if eof:
                client.shutdown(socket.SHUT_WR)
            found = b""
            with suppress(ConnectionError):
                while part := await loop.sock_recv(client, 65_536):
                    found += part
            await asyncio.gather(*state.tasks)
        return found

    return uvloop.run(asyncio.wait_for(run(), 20))


def parsed(data: bytes) -> list[tuple[int, Any]]:
    """Return the status and JSON body of every response, except interim responses."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        status = int(lines[0].removeprefix(b"HTTP/1.1 ")[:3])
        if status >= 200:
            [length] = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
            found.append((status, json.loads(data[:length])))
            data = data[length:]
    return found


@dataclass
class Request:
    path: str
    method: str = "GET"
    body: bytes = b""
    chunks: list[int] | None = None
    headers: list[bytes] = field(default_factory=list)

    @property
    def bytes(self) -> bytes:
        head = b"%s %s HTTP/1.1\r\nHost: x\r\n" % (self.method.encode(), self.path.encode())
        head += b"".join(line + b"\r\n" for line in self.headers)
        if self.chunks is not None:
            parts = split(self.body, self.chunks) if self.body else []
            body = b"".join(b"%x;a=b\r\n%s\r\n" % (len(part), part) for part in parts)
            return (
                head + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\nX-Trailer: y\r\n\r\n"
            )
        return (
            head
            + (b"Content-Length: %d\r\n\r\n" % len(self.body) if self.body else b"\r\n")
            + self.body
        )

    @property
    def answer(self) -> tuple[int, Any]:
        return 200, [self.method, self.path, self.body.decode("latin-1")]


UPGRADES = [
    [
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
    ],
    [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"],
    [b"Upgrade: TLS/1.0, anything", b"Connection: keep-alive, upgrade"],
    [b"Proxy-Connection: upgrade", b"Upgrade: h2c"],
    [b"Upgrade: h2c"],
]
BODIES = st.one_of(
    st.sampled_from([b"", b"{}", SMUGGLED, SMUGGLED * 3, b"0\r\n\r\n" + SMUGGLED, b"x" * 70_000]),
    st.binary(max_size=60),
)
REQUESTS = st.builds(
    Request,
    path=st.just("/"),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]),
    body=BODIES,
    chunks=st.none() | st.lists(st.integers(0, 10_000), max_size=4),
    headers=st.sampled_from([[], [b"Expect: 100-continue"], *UPGRADES]),
)


@given(
    st.lists(REQUESTS, min_size=1, max_size=6),
    st.lists(st.integers(0, 1_000_000), max_size=12),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_every_request_gets_one_response(
    requests: list[Request], cuts: list[int], eof: bool
) -> None:
    for number, request in enumerate(requests):
        request.path = f"/{number}"
    data = b"".join(request.bytes for request in requests) + (b"" if eof else LAST)
    expected = [request.answer for request in requests] + (
        [] if eof else [(200, ["GET", "/last", ""])]
    )
    assert parsed(converse(split(data, cuts), eof)) == expected


def test_requests_split_into_single_bytes() -> None:
    requests = [
        Request(f"/{number}", "POST", SMUGGLED, chunks, lines)
        for chunks in (None, [5])
        for number, lines in enumerate(UPGRADES)
    ]
    data = b"".join(request.bytes for request in requests) + LAST
    found = parsed(converse([bytes([byte]) for byte in data]))
    assert found == [*(request.answer for request in requests), (200, ["GET", "/last", ""])]


def test_the_body_of_an_upgrade_in_a_later_read() -> None:
    """Upgrades in one read are limited in number like all requests."""
    upgrade = Request("/up", "POST", SMUGGLED, headers=UPGRADES[1])
    assert parsed(converse([upgrade.bytes.removesuffix(SMUGGLED), SMUGGLED, LAST])) == [
        upgrade.answer,
        (200, ["GET", "/last", ""]),
    ]
    assert parsed(converse([upgrade.bytes * MAX_PIPELINED + LAST])) == [
        upgrade.answer
    ] * MAX_PIPELINED + [(200, ["GET", "/last", ""])]
    assert converse([upgrade.bytes * 1_200]) == b""


@pytest.mark.parametrize(
    "connection", [b"", b"Connection: upgrade\r\nUpgrade: h2c\r\n"], ids=["plain", "upgrade"]
)
def test_http_1_0(connection: bytes) -> None:
    sent = b"POST /old HTTP/1.0\r\n%sContent-Length: %d\r\n\r\n%s" % (
        connection,
        len(SMUGGLED),
        SMUGGLED,
    )
    assert parsed(converse([sent[:60], sent[60:] + LAST])) == [
        (200, ["POST", "/old", SMUGGLED.decode()])
    ]


BAD_HEADS = {
    "length and coding": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding and length": CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n")
    + b"0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "lengths differ": HEAD + b"Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc",
    "length list": HEAD + b"Content-Length: 3, 3\r\n\r\nabc",
    "length with a sign": HEAD + b"Content-Length: +3\r\n\r\nabc",
    "negative length": HEAD + b"Content-Length: -3\r\n\r\nabc",
    "spaced length": HEAD + b"Content-Length: 3 3\r\n\r\nabc",
    "empty length": HEAD + b"Content-Length: \r\n\r\nabc",
    "hexadecimal length": HEAD + b"Content-Length: 0x3\r\n\r\nabc",
    "length over 64 bits": HEAD + b"Content-Length: 18446744073709551619\r\n\r\nabc",
    "giant length": HEAD + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n",
    "5,000 zeros": HEAD + b"Content-Length: " + b"0" * 5_000 + b"\r\n\r\n",
    "upgrade, 5,000 zeros": HEAD
    + b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: "
    + b"0" * 5_000
    + b"\r\n\r\n",
    "space before the colon": HEAD + b"Content-Length : 3\r\n\r\nabc",
    "space before the name": HEAD + b" Content-Length: 3\r\n\r\nabc",
    "space before the first name": b"POST /bad HTTP/1.1\r\n Content-Length: 3\r\n\r\nabc",
    "folded": HEAD + b"X: a\r\n b\r\n\r\n",
    "folded length": HEAD + b"Content-Length:\r\n 3\r\n\r\nabc",
    "folded coding": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "bare LF": HEAD.replace(b"\r\n", b"\n") + b"\n",
    "a bare LF": HEAD + b"X: a\nContent-Length: 3\r\n\r\nabc",
    "bare CR": HEAD + b"X: a\rContent-Length: 3\r\n\r\nabc",
    "NUL": HEAD + b"X: a\x00\r\n\r\n",
    "no colon": HEAD + b"Content-Length\r\n\r\n",
    "coding after chunked": HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "two codings": HEAD
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding of a tab": HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.0 chunked": CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n",
    "HTTP/0.9": HEAD.replace(b"1.1", b"0.9") + b"Connection: keep-alive\r\n\r\n",
    "HTTP/2.0": HEAD.replace(b"1.1", b"2.0") + b"Connection: keep-alive\r\n\r\n",
    "h2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no method": b"\x16\x03\x01\x02\x00\x01",
    "no path": b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host": b"GET /bad HTTP/1.1\r\nX: y\r\n\r\n",
    "no host, absolute": b"GET http://x/bad HTTP/1.1\r\n\r\n",
    "two hosts": HEAD + b"host: x\r\n\r\n",
    "two keys": HEAD + b"X-API-Key: a\r\nX-Other: c\r\nx-api-key: b\r\n\r\n",
    "two authorizations": HEAD + b"Authorization: Bearer a\r\n" * 2 + b"\r\n",
    "two types": HEAD + b"Content-Type: text/csv\r\n" * 2 + b"\r\n",
}
UNSUPPORTED = {
    "gzip, chunked": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "gzip and chunked": HEAD
    + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity": HEAD + b"Transfer-Encoding: identity\r\n\r\n",
    "identity and length": HEAD + b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
    "unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "quoted": HEAD + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "empty element": HEAD + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
    "upgrade, gzip": HEAD
    + b"Connection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: gzip\r\n\r\n",
    "CONNECT": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT path": b"CONNECT /bad HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
}
BAD_BODIES = {
    "hexadecimal prefix": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "negative chunk": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
    "chunk over 64 bits": CHUNKED + b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "space after the size": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
    "no size": CHUNKED + b"\r\nabc\r\n0\r\n\r\n",
    "bare LF": CHUNKED + b"3\nabc\n0\n\n",
    "bare LF after the chunk": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "longer than its size": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "LF in an extension": CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "quoted CRLF in an extension": CHUNKED + b'3;a="\r\nb"\r\nabc\r\n0\r\n\r\n',
    "length in a trailer": CHUNKED + b"0\r\nContent-Length: 3\r\n\r\n",
    "coding in a trailer": CHUNKED + b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "upgrade, bad chunk": CHUNKED[:-2] + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\nx\r\n",
}
BAD = [
    *(pytest.param(each, 400, id=name) for name, each in BAD_HEADS.items()),
    *(pytest.param(each, 501, id=name) for name, each in UNSUPPORTED.items()),
    *(pytest.param(each, 400, id="body: " + name) for name, each in BAD_BODIES.items()),
]


@pytest.mark.parametrize(("bad", "status"), BAD)
@given(st.integers(0, 3), st.lists(st.integers(0, 1_000_000), max_size=5))
@settings(max_examples=8, deadline=None)
def test_a_malformed_request_gets_one_response_in_turn_and_the_last(
    bad: bytes, status: int, before: int, cuts: list[int]
) -> None:
    requests = [Request(f"/{number}", "POST", b"x" * number) for number in range(before)]
    data = b"".join(request.bytes for request in requests) + bad + SMUGGLED * 2 + LAST
    *found, last = parsed(converse(split(data, cuts)))
    assert found == [request.answer for request in requests]
    assert (last[0], last[1]["status"]) == (status, status)
    assert last[1]["type"] == ("/docs#malformed" if status == 400 else "/docs#unsupported")
    assert last[1]["request_id"]


@pytest.mark.parametrize(
    ("version", "body"),
    [(b"1.0", b'["a","b"]'), (b"1.1", b'5\r\n["a",\r\n4\r\n"b"]\r\n0\r\n\r\n')],
    ids=["1.0", "1.1"],
)
def test_http_1_0_gets_no_chunks(version: bytes, body: bytes) -> None:
    found = converse([b"GET /parts HTTP/%s\r\nHost: x\r\nConnection: close\r\n\r\n" % version])
    head, _, received = found.partition(b"\r\n\r\n")
    assert received == body
    assert (b"transfer-encoding: chunked" in head) == (version == b"1.1")
    head = converse([b"HEAD /parts HTTP/%s\r\nHost: x\r\nConnection: close\r\n\r\n" % version])
    assert head.endswith(b"\r\n\r\n")


def test_http_1_0_is_not_asked_to_continue() -> None:
    sent = b"POST /old HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}"
    found = converse([sent])
    assert found.startswith(b"HTTP/1.1 200 ")
    assert parsed(found) == [(200, ["POST", "/old", "{}"])]


def test_http_1_0_needs_no_host_and_lists_may_be_sent_in_lines() -> None:
    old = b"GET /old HTTP/1.0\r\n\r\n"
    lists = b"GET /lists HTTP/1.1\r\nHost: x\r\n" + b"Accept: */*\r\n" * 2 + b"\r\n"
    assert parsed(converse([lists + old])) == [
        (200, ["GET", "/lists", ""]),
        (200, ["GET", "/old", ""]),
    ]


def test_a_rejected_head_request_gets_no_body() -> None:
    found = converse([b"HEAD / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"])
    assert found.startswith(b"HTTP/1.1 501 ")
    assert found.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize(
    ("cut", "statuses"),
    [
        (b"", []),
        (b"GET /cut HTTP/1.1\r\nHo", []),
        (HEAD + b"Content-Length: 9\r\n\r\nabc", [400]),
        (CHUNKED + b"3\r\nabc\r\n", [400]),
        (CHUNKED[:-2] + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n3\r\nabc\r\n", [400]),
    ],
    ids=["nothing", "head", "length", "chunked", "upgrade"],
)
def test_a_client_that_half_closes_during_a_request(
    before: int, cut: bytes, statuses: list[int]
) -> None:
    """An incomplete body is not accepted as a complete one."""
    requests = [Request(f"/{number}", "POST", b"abc") for number in range(before)]
    found = parsed(converse([b"".join(request.bytes for request in requests) + cut], eof=True))
    assert found[:before] == [request.answer for request in requests]
    assert [status for status, _ in found[before:]] == statuses


def test_a_trailer_can_close_the_connection() -> None:
    sent = CHUNKED + b"3\r\nabc\r\n0\r\nConnection: close\r\n\r\n" + SMUGGLED
    assert parsed(converse([sent])) == [(200, ["POST", "/bad", "abc"])]


def test_spaces_around_a_length_are_ignored() -> None:
    for value in (b"3  ", b"\t3\t", b" 03"):
        sent = HEAD + b"Content-Length:%s\r\n\r\nabc" % value
        assert parsed(converse([sent + LAST])) == [
            (200, ["POST", "/bad", "abc"]),
            (200, ["GET", "/last", ""]),
        ]
