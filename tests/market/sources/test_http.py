import gzip
import itertools
import json
import random
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest

from pokewatch.errors import MissingAtSourceError, SourceError
from pokewatch.market.sources.http import HttpClient, HttpLimits, shown
from pokewatch.market.sources.request_gate import RequestGate
from pokewatch.market.sources.request_store import RequestStore
from tests.market.upstream import Reply, Sleeps, Upstream

QUICK = HttpLimits(connect=10.0, read=10.0, attempts=3, max_bytes=10_000)


def client(
    limits: HttpLimits = QUICK, sleeps: Sleeps | None = None, **options: object
) -> HttpClient:
    sleeps = sleeps or Sleeps()
    return HttpClient("test", limits, sleep=sleeps.sleep, clock=sleeps.now, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529])
def test_a_busy_server_is_asked_again(upstream: Upstream, status: int) -> None:
    upstream.routes["/a"] = [Reply(status=status), Reply(status=status), Reply(b'{"x": 1}')]
    sleeps = Sleeps()

    assert client(sleeps=sleeps).json(f"{upstream.url}/a") == {"x": 1}
    assert len(upstream.requests) == 3
    assert len(sleeps.taken) == 2


def test_waits_grow_and_are_jittered(upstream: Upstream) -> None:
    upstream.routes["/a"] = Reply(status=500)
    waits = []
    for seed in range(3):
        random.seed(seed)
        sleeps = Sleeps()
        with pytest.raises(SourceError):
            client(HttpLimits(attempts=5, longest_wait=3.0), sleeps).text(f"{upstream.url}/a")
        waits.append(sleeps.taken)

    assert all(
        0.5 <= first < 1.0 <= second < 2.0 <= third <= 3.0 == fourth
        for first, second, third, fourth in waits
    )
    assert len({tuple(taken) for taken in waits}) == 3


def test_giving_up_names_source_address_and_cause(upstream: Upstream) -> None:
    upstream.routes["/a"] = Reply(status=503)

    with pytest.raises(SourceError) as caught:
        client().text(f"{upstream.url}/a")

    assert (
        str(caught.value)
        == f"test: {upstream.url}/a: answered 503 Service Unavailable; gave up after 3 attempts"
    )
    assert len(upstream.requests) == 3


@pytest.mark.parametrize("kind", ["seconds", "date"])
def test_retry_after_is_honoured(upstream: Upstream, kind: str) -> None:
    asked = (
        "45"
        if kind == "seconds"
        else format_datetime(datetime.now(UTC) + timedelta(seconds=45), usegmt=True)
    )
    upstream.routes["/a"] = [Reply(status=429, headers={"Retry-After": asked}), Reply(b"here")]
    sleeps = Sleeps()

    assert client(sleeps=sleeps).text(f"{upstream.url}/a") == "here"
    assert sleeps.taken[0] >= (
        45 if kind == "seconds" else 5
    )  # a date is nearer by what the test has taken since


@pytest.mark.parametrize(
    "value",
    [
        *("soon", "inf", "nan", "1e400"),
        "Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
        "Wed, 21 Oct 2026 07:28:00 +99999999999999",
    ],
)
def test_an_unreadable_retry_after_is_ignored(upstream: Upstream, value: str) -> None:
    upstream.routes["/a"] = [Reply(status=429, headers={"Retry-After": value}), Reply(b"here")]

    assert client().text(f"{upstream.url}/a") == "here"


@pytest.mark.parametrize(
    ("asked", "length"),
    [
        ("7200", "7200 s"),
        ("1e300", "over a day"),
        ("Fri, 31 Dec 9999 23:59:59 GMT", "over a day"),
    ],
)
def test_a_server_that_asks_for_hours_is_not_waited_for(
    upstream: Upstream, asked: str, length: str
) -> None:
    upstream.routes["/a"] = Reply(status=429, headers={"Retry-After": asked})
    sleeps = Sleeps()
    text = f"429 Too Many Requests and asks for a wait of {length}, longer than the 60 s allowed"

    with pytest.raises(SourceError, match=text):
        client(sleeps=sleeps).text(f"{upstream.url}/a")
    assert len(upstream.requests) == 1
    assert sleeps.taken == []


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_blocks_after_429_is_left_alone(
    upstream: Upstream, tmp_path: Path, status: int
) -> None:
    upstream.routes["/a"] = Reply(status=status)
    sleeps, store = Sleeps(), RequestStore(tmp_path / "requests.sqlite")
    limits = HttpLimits(attempts=3, block=600.0)
    blocked = client(limits, sleeps, gate=RequestGate(0.1, store, 100, sleeps.now))

    for _ in range(2):
        with pytest.raises(SourceError) as caught:
            blocked.text(f"{upstream.url}/a")
    if status == 429:
        assert len(upstream.requests) == 1
        assert "not requested: the server has blocked requests" in str(caught.value)
        assert caught.value.status == 429
    else:
        assert len(upstream.requests) == 6


def test_silence_is_a_timeout(upstream: Upstream) -> None:
    upstream.routes["/a"] = Reply(stall=True)

    with pytest.raises(SourceError, match=r"no answer within 0\.2 s; gave up after 3 attempts"):
        client(replace(QUICK, read=0.2)).text(f"{upstream.url}/a")
    assert len(upstream.requests) == 3


def test_nobody_there() -> None:
    with pytest.raises(SourceError, match=r"connection failed: .*; gave up after 3 attempts"):
        client().text("http://127.0.0.1:1/a")


def test_a_body_that_takes_too_long_in_all(upstream: Upstream) -> None:
    upstream.routes["/a"] = Reply(b"x" * 5000)
    ticks = iter(range(0, 10_000, 100))

    slow = HttpClient("test", QUICK, sleep=lambda _: None, clock=lambda: float(next(ticks) * 10))
    with pytest.raises(
        SourceError, match="the answer was not complete after 120 s; gave up after 3 attempts"
    ):
        slow.text(f"{upstream.url}/a")


def test_a_cut_body_is_asked_for_again(upstream: Upstream, tmp_path: Path) -> None:
    upstream.routes["/a"] = [Reply(b"y" * 5000, cut=1234), Reply(b"z" * 3000)]

    client().download(f"{upstream.url}/a", tmp_path / "a")

    assert (tmp_path / "a").read_bytes() == b"z" * 3000


def test_a_failed_download_leaves_what_was_there(upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    upstream.routes["/a"] = Reply(b"y" * 5000, cut=1234)

    with pytest.raises(SourceError, match="connection failed"):
        client().download(f"{upstream.url}/a", tmp_path / "a")

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "unannounced"])
def test_an_oversized_body_is_refused(upstream: Upstream, chunked: bool) -> None:
    upstream.routes["/a"] = Reply(b"x" * 10_001, chunked=chunked)

    with pytest.raises(SourceError, match="the answer is larger than 10,000 bytes"):
        client().text(f"{upstream.url}/a")
    assert len(upstream.requests) == 1


def test_a_small_body_that_unzips_large_is_refused(upstream: Upstream) -> None:
    upstream.routes["/a"] = Reply(
        gzip.compress(b"x" * 1_000_000), headers={"Content-Encoding": "gzip"}
    )

    with pytest.raises(SourceError, match="the answer is larger than 10,000 bytes"):
        client().text(f"{upstream.url}/a")


def _twice(body: bytes) -> bytes:
    return gzip.compress(gzip.compress(body))


@pytest.mark.parametrize(
    ("coding", "encoded"),
    [("br", bytes), ("gzip, gzip", _twice), ("deflate", zlib.compress)],
    ids=["brotli", "gzip twice", "deflate"],
)
def test_a_content_coding_that_was_not_requested_is_not_decoded(
    upstream: Upstream, coding: str, encoded: Callable[[bytes], bytes]
) -> None:
    upstream.routes["/a"] = Reply(encoded(b"{}"), headers={"Content-Encoding": coding})

    with pytest.raises(SourceError, match=f"encoding '{coding}', which was not requested"):
        client().text(f"{upstream.url}/a")
    assert upstream.requests[0].headers["Accept-Encoding"] == "gzip"


def test_a_gzip_body_is_decoded(upstream: Upstream) -> None:
    upstream.routes["/a"] = Reply(gzip.compress(b"[1]"), headers={"Content-Encoding": "GZip"})

    assert client().json(f"{upstream.url}/a") == [1]


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (gzip.compress(b"x" * 500)[:-9], "ends in the middle of its gzip data"),
        (b"plain", "is not valid gzip"),
    ],
    ids=["truncated", "not compressed"],
)
def test_a_broken_gzip_body_is_asked_for_again(upstream: Upstream, body: bytes, cause: str) -> None:
    upstream.routes["/a"] = Reply(body, headers={"Content-Encoding": "gzip"})

    with pytest.raises(SourceError, match=f"{cause}.*gave up after 3 attempts"):
        client().text(f"{upstream.url}/a")


def test_a_body_that_trickles_is_limited_in_time(upstream: Upstream) -> None:
    """Each byte is in time for the limit of one read; all of them together are not."""
    ticks = itertools.count(0, 50)
    sent: list[int] = []

    def trickle() -> Iterator[bytes]:
        for count in range(1_000):
            sent.append(count)
            yield b"x"

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=trickle()))
    slow = HttpClient(
        "test",
        HttpLimits(attempts=1),
        transport=transport,
        sleep=lambda _: None,
        clock=lambda: float(next(ticks)),
    )
    with pytest.raises(SourceError, match="the answer was not complete after 120 s"):
        slow.text("http://example.test/a")
    assert len(sent) < 5


def test_the_body_of_a_redirect_is_not_read(upstream: Upstream) -> None:
    read: list[bytes] = []

    def endless() -> Iterator[bytes]:
        while len(read) < 100:
            read.append(b"x" * 1_000)
            yield read[-1]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/a":
            return httpx.Response(302, headers={"Location": "/b"}, content=endless())
        return httpx.Response(200, content=iter((b"here",)))

    assert client(transport=httpx.MockTransport(answer)).text("http://example.test/a") == "here"
    assert not read


def test_a_byte_order_mark_is_not_part_of_the_json(upstream: Upstream) -> None:
    upstream.routes["/a"] = Reply(b'\xef\xbb\xbf{"x": 1}')

    assert client().json(f"{upstream.url}/a") == {"x": 1}


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (
            b"<!DOCTYPE html><html>down for\n maintenance",
            "the answer is not JSON; it begins with '<!DOCTYPE html><html>down for maintenance'",
        ),
        (b"\n", "the answer is empty, not JSON"),
        (b"[" * 100_000, "the answer is JSON that breaks off after 100,000 characters"),
        (b"[ERROR] upstream down", "the answer is not JSON; it begins with '\\[ERROR\\]"),
        (b'{"a": 1}<br/>', "the answer is not JSON; it begins with"),
        (
            b'{"data": [\n{"id": "Pika',
            "the answer is JSON that breaks off after 23 characters; it ends with "
            """'{"data": \\[ {"id": "Pika'""",
        ),
        (b"{data: 1}", "the answer is not JSON; it begins with '{data: 1}'"),
    ],
    ids=["html", "empty", "nested", "text", "more", "cut", "no JSON"],
)
def test_a_body_that_is_not_json_is_reported(upstream: Upstream, body: bytes, cause: str) -> None:
    upstream.routes["/a"] = Reply(body)

    with pytest.raises(SourceError, match=cause) as caught:
        client(HttpLimits()).json(f"{upstream.url}/a")
    assert "\n" not in str(caught.value)


def test_missing_is_distinct_from_refused(upstream: Upstream) -> None:
    upstream.routes["/refused"] = Reply(status=401)

    with pytest.raises(MissingAtSourceError, match="answered 404 Not Found"):
        client().text(f"{upstream.url}/missing")
    with pytest.raises(SourceError, match="answered 401 Unauthorized: ask for a key") as caught:
        client(hints={401: "ask for a key"}).text(f"{upstream.url}/refused")
    assert not isinstance(caught.value, MissingAtSourceError)
    assert len(upstream.requests) == 2


def test_going_round_in_circles(upstream: Upstream) -> None:
    upstream.routes["/a"] = Reply(status=302, headers={"Location": "/a"})

    with pytest.raises(SourceError, match=r"the request failed: .*redirects"):
        client().text(f"{upstream.url}/a")


@pytest.mark.parametrize(
    "address",
    ["ftp://example.test/a", "http://[::1/a", "http://"],
    ids=["protocol", "brackets", "no host"],
)
def test_an_address_that_cannot_be_asked(address: str) -> None:
    with pytest.raises(SourceError, match="the request failed"):
        client().text(address)


def test_secrets_stay_out_of_messages(upstream: Upstream) -> None:
    upstream.routes["/a"] = Reply(status=403)
    address = upstream.url.replace("http://", "http://me:hunter2@") + "/a?token=hunter3"
    keyed = client(headers={"Authorization": "Bearer hunter4"})

    with pytest.raises(SourceError) as caught:
        keyed.text(address)

    assert "hunter" not in str(caught.value) + repr(keyed) + repr(caught.value)
    assert shown(address) == f"{upstream.url}/a"
    assert upstream.requests[0].headers["Authorization"] != ""


SECRET = "hunter-2-hunter"


@pytest.mark.parametrize(
    "answer",
    [
        f"HTTP/1.1 401 No key {SECRET}\r\nContent-Length: 0",
        f"HTTP/1.1 404 No key {SECRET}\r\nContent-Length: 0",
        f"HTTP/1.1 500 No key {SECRET}\r\nContent-Length: 0",
        f"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.test/log-in/{SECRET}",
        f"HTTP/1.1 302 Found\r\nLocation: /log-in/{SECRET}",
        f"HTTP/1.1 200 OK\r\nContent-Encoding: {SECRET}\r\nContent-Length: 0",
        f"HTTP/1.1 200 OK\r\nno header {SECRET}",
        f"no status {SECRET}",
    ],
)
def test_a_key_that_the_answer_repeats_is_in_no_message(answer: str) -> None:
    """From a server that repeats it outside the body, as in a reason or a path."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            with suppress(OSError):  # closed at the end of the test
                while True:
                    with server.accept()[0] as connection:
                        connection.recv(65_536)
                        connection.sendall(f"{answer}\r\nConnection: close\r\n\r\n".encode())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        limits = HttpLimits(connect=2.0, read=2.0, attempts=2)
        with pytest.raises(SourceError) as caught:
            client(limits, headers={"X-Key": SECRET}).text(f"http://127.0.0.1:{port}/a")
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
    assert SECRET not in str(caught.value) + caught.value.url


def test_a_header_that_cannot_be_sent_is_not_shown(upstream: Upstream) -> None:
    keyed = client(headers={"Authorization": "Bearer hunter22222\n"})

    with pytest.raises(SourceError, match=r"the request failed: Illegal header .*\*\*\*") as caught:
        keyed.text(f"{upstream.url}/a")
    assert "hunter" not in str(caught.value)


def test_it_says_who_is_asking(upstream: Upstream) -> None:
    upstream.routes["/a"] = Reply(b"{}")

    client().json(f"{upstream.url}/a", {"q": "x"})

    assert upstream.requests[0].headers["User-Agent"].startswith("PokeWatch/")
    assert upstream.requests[0].query == {"q": ["x"]}


def test_requests_keep_their_distance(upstream: Upstream) -> None:
    upstream.routes["/a"] = Reply(json.dumps([]).encode())
    sleeps = Sleeps()
    polite = client(HttpLimits(pause=5.0), sleeps)

    for _ in range(3):
        polite.json(f"{upstream.url}/a")

    assert len(sleeps.taken) == 2
    assert all(4.0 < wait <= 5.0 for wait in sleeps.taken)


def _subclasses(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *(found for below in kind.__subclasses__() for found in _subclasses(below))]


@pytest.mark.parametrize(
    "kind", [*_subclasses(httpx.RequestError), httpx.InvalidURL], ids=lambda kind: kind.__name__
)
def test_every_error_of_httpx_is_mapped(kind: type[Exception]) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise kind("broken")

    with pytest.raises(SourceError, match=r"^test: http://example\.test/a: "):
        client(transport=httpx.MockTransport(fail)).text("http://example.test/a")


def test_a_redirect_within_the_origin_is_followed(upstream: Upstream) -> None:
    upstream.routes["/a"] = Reply(status=302, headers={"Location": "/b"})
    upstream.routes["/b"] = Reply(b"here")
    assert client().text(f"{upstream.url}/a") == "here"


@pytest.mark.parametrize(
    "target",
    [
        "https://elsewhere.test/b",
        "//elsewhere.test/b",
        "https://source.test:444/b",
        "http://source.test/b",
        "https://source.test@elsewhere.test/b",
        "https://user:pass@source.test/b",
        "ftp://source.test/b",
        "https://[::bad/b",
    ],
)
def test_a_redirect_elsewhere_is_refused_and_no_key_is_sent_there(target: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(302, headers={"Location": target})

    refusing = client(
        headers={"Authorization": "Bearer secret"}, transport=httpx.MockTransport(answer)
    )
    with pytest.raises(SourceError, match="redirects to") as caught:
        refusing.text("https://source.test/a?q=1")
    assert [str(request.url) for request in asked] == ["https://source.test/a?q=1"]
    assert "pass" not in str(caught.value)
