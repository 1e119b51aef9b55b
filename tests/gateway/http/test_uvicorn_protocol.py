"""Responses are the same as uvicorn's, and connections that misuse the server are closed."""

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from pokewatch.gateway.auth.keys import KeyStore
from pokewatch.settings import GatewaySettings
from tests.gateway.conftest import serving

GET = "GET {} HTTP/1.1\r\nHost: test\r\nX-Request-Id: mine\r\n\r\n"
CASES = {
    "small": GET.format("/health"),
    "large": GET.format("/openapi.json"),
    "pipelined": GET.format("/health")
    + GET.format("/nothing")
    + GET.format("/docs")
    + GET.format("/health"),
    "head": GET.format("/health").replace("GET", "HEAD") + GET.format("/health"),
    "no key": GET.format("/cards"),
    "closing": GET.format("/health").replace("Host", "Connection: close\r\nHost"),
    "http/1.0": "GET /health HTTP/1.0\r\nX-Request-Id: mine\r\n\r\n",
    "http/1.0 kept": "GET /health HTTP/1.0\r\nConnection: keep-alive\r\nX-Request-Id: mine\r\n\r\n",
    "unread body": "GET /health HTTP/1.1\r\nHost: test\r\nX-Request-Id: mine\r\n"
    "Content-Length: 3\r\n\r\nabc" + GET.format("/health"),
}


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A gateway on GuardedProtocol and one on uvicorn's protocol, without a model server."""
    store = KeyStore(tmp_path_factory.mktemp("protocol") / "keys.sqlite")
    settings = GatewaySettings.read(
        mlserver_url="http://127.0.0.1:9", access_log=False, gateway_metrics_port=0
    )
    with (
        serving(settings, store) as (ours, _),
        serving(settings, store, http="httptools") as (plain, _),
    ):
        yield ours, plain


def responses_to(url: str, sent: str) -> bytes:
    """Return all responses on one connection, which a last request closes."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(sent.encode() + CASES["closing"].encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    return re.sub(rb"date: [^\r]+", b"date: now", answer)


@pytest.mark.parametrize("case", CASES)
def test_the_same_bytes_as_uvicorns(urls: tuple[str, str], case: str) -> None:
    ours, plain = (responses_to(url, CASES[case]) for url in urls)
    assert ours == plain
    assert b"date: now" in ours


def test_only_complete_responses_bypass_uvicorn(
    urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses: list[int] = []
    send = RequestResponseCycle.send

    def recording_send(cycle: RequestResponseCycle, message: Any) -> Any:
        statuses.extend([message["status"]] if "status" in message else [])
        return send(cycle, message)

    monkeypatch.setattr(RequestResponseCycle, "send", recording_send)
    responses_to(urls[0], CASES["large"] + CASES["no key"])
    assert statuses == [401, 200], (
        "uvicorn must write the 200 that closes the connection, but not the one before"
    )


@pytest.mark.parametrize(
    "last", ["", "GET /health HTTP/1.1\r\nHost: te"], ids=["idle", "half a head"]
)
def test_an_idle_connection_is_closed(tmp_path: Path, last: str) -> None:
    """Not while it is used: the requests together take longer than the timeout."""
    settings = GatewaySettings.read(
        mlserver_url="http://127.0.0.1:9", access_log=False, body_seconds=60
    )
    with serving(settings, KeyStore(tmp_path / "keys.sqlite"), timeout_keep_alive=1) as (url, _):
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
            for _ in range(3):
                connection.sendall(CASES["small"].encode())
                assert b"alive" in connection.recv(65_536)
                time.sleep(0.6)
            connection.sendall(last.encode())
            assert connection.recv(65_536) == b""


def answers(url: str, *sent: bytes) -> bytes:
    """Return all that is received until the server closes the connection, cleanly or not."""
    parts = urlsplit(url)
    found = b""
    with (
        contextlib.suppress(ConnectionError),
        socket.create_connection((parts.hostname, parts.port), timeout=20) as connection,
    ):
        for each in sent:
            connection.sendall(each)
        while part := connection.recv(65_536):
            found += part
    return found


def test_an_endless_head_closes_the_connection(urls: tuple[str, str]) -> None:
    found = answers(urls[0], b"GET /health HTTP/1.1\r\nX-Long: ", *[b"a" * 8_192] * 64, b"\r\n\r\n")
    assert found == b""


def test_a_target_that_is_too_long_is_said_to_be(urls: tuple[str, str]) -> None:
    found = answers(urls[0], b"GET /health?%s HTTP/1.1\r\nHost: test\r\n\r\n" % (b"a" * 65_600))
    assert found.startswith(b"HTTP/1.1 400 ")
    assert b"not valid HTTP/1.1: the target is longer than 65,535 bytes" in found


def test_a_head_that_begins_in_a_large_read_is_accepted(urls: tuple[str, str]) -> None:
    """The head follows a large body and is split between two reads."""
    body = b"x" * 200_000
    first = b"GET /health HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )
    last = CASES["closing"].encode()
    assert answers(urls[0], first + last[:20], last[20:]).count(b" 200 OK") == 2


def test_the_number_of_pipelined_requests_is_limited(urls: tuple[str, str]) -> None:
    request = CASES["small"].encode()
    assert answers(urls[0], request * 50 + CASES["closing"].encode()).count(b" 200 OK") == 51
    assert answers(urls[0], request * 500 + CASES["closing"].encode()).count(b" 200 OK") < 500


@pytest.mark.parametrize("after", ["", " ", "\t ", " \t\t"], ids=repr)
def test_white_space_around_a_value_is_no_part_of_it(urls: tuple[str, str], after: str) -> None:
    head = "GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
    head += f"X-Request-Id: \t mine{after}\r\n\r\n"
    assert b"x-request-id: mine\r\n" in answers(urls[0], head.encode())


def test_a_trailer_is_not_a_header(urls: tuple[str, str]) -> None:
    head = (
        "POST /fair_price HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    sent = head + "2\r\n{}\r\n0\r\nX-Request-Id: mine\r\n\r\n"
    found = answers(urls[0], sent.encode() + CASES["closing"].encode())
    assert b" 401 " in found
    assert found.count(b"x-request-id: mine") == 1, "that of the second request"


@pytest.mark.parametrize("body", [b"", b"{}"], ids=["waits", "sends"])
def test_a_final_response_instead_of_100_continue_closes_the_connection(
    urls: tuple[str, str], body: bytes
) -> None:
    """The server cannot know whether a body or another request follows."""
    head = (
        b"POST /fair_price HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n"
        b"Content-Length: 2\r\n\r\n"
    )
    found = answers(urls[0], head + body, *([CASES["closing"].encode()] if body else []))
    assert found.count(b"HTTP/1.1 ") == (2 if body else 1)
    assert found.startswith(b"HTTP/1.1 401 ")
    assert found.count(b"connection: close\r\n") == 1


@pytest.mark.parametrize(
    ("framing", "piece"),
    [
        (b"Content-Length: 6553600\r\n", b"x" * 65_536),
        (b"Transfer-Encoding: chunked\r\n", b"10000\r\n%s\r\n" % (b"x" * 65_536)),
    ],
    ids=["length", "chunks"],
)
def test_a_client_that_sends_its_whole_body_first_gets_a_response_before_its_end(
    urls: tuple[str, str], framing: bytes, piece: bytes
) -> None:
    """A connection closed earlier would be reset, and the client would lose the response."""
    head = b"POST /fair_price HTTP/1.1\r\nHost: test\r\nConnection: close\r\n" + framing
    end = b"0\r\n\r\n" if b"chunked" in framing else b""
    found = answers(urls[0], head + b"\r\n", *[piece] * 100, end)
    assert found.startswith(b"HTTP/1.1 401 ")
    assert found.endswith(b"}"), "and is closed after the body"


def test_a_malformed_request_is_answered_before_the_end_of_its_body(urls: tuple[str, str]) -> None:
    head = (
        b"POST /fair_price HTTP/1.1\r\nHost: test\r\nHost: test\r\nContent-Length: 6553600\r\n\r\n"
    )
    found = answers(urls[0], head, *[b"x" * 65_536] * 100)
    assert found.startswith(b"HTTP/1.1 400 ")
    assert b"the header host is sent twice" in found


def test_a_connection_is_closed_where_the_rest_of_a_body_does_not_come(tmp_path: Path) -> None:
    settings = GatewaySettings.read(
        mlserver_url="http://127.0.0.1:9", access_log=False, body_seconds=0.5
    )
    head = b"POST /fair_price HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n"
    with serving(settings, KeyStore(tmp_path / "keys.sqlite"), timeout_keep_alive=60) as (url, _):
        for closing in (b"", b"Connection: close\r\n"):
            assert answers(url, head + closing + b"\r\nhalf").startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("reads", [False, True])
def test_a_client_that_does_not_read_is_disconnected(tmp_path: Path, reads: bool) -> None:
    """The response is much larger than the kernel's buffers."""
    settings = GatewaySettings.read(
        mlserver_url="http://127.0.0.1:9", access_log=False, body_seconds=0.5
    )
    with serving(settings, KeyStore(tmp_path / "keys.sqlite")) as (url, app):
        parts = urlsplit(url)
        large = b"x" * 30_000_000

        async def handler(_: object) -> Any:
            return 200, [], large

        next(route for route in app.routes if route.name == "health").app._handler = handler
        with socket.socket() as connection:
            connection.settimeout(20)
            connection.connect((parts.hostname, parts.port))
            connection.sendall(CASES["small"].encode())
            if not reads:
                time.sleep(2)  # longer than the server waits
            size = 0
            with contextlib.suppress(ConnectionError):
                while size < len(large) and (part := connection.recv(65_536)):
                    size += len(part)
    assert (size >= len(large)) is reads
