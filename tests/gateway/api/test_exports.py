"""GET /export.parquet and /export.csv through a gateway and a real MLServer."""

import asyncio
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pandas as pd
import pytest

from pokewatch.gateway.api import downloads
from tests.gateway.clock import until
from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem

PATHS = ["/export.parquet", "/export.csv"]


def opened(path: str, content: bytes) -> pd.DataFrame:
    reader = pd.read_parquet if path.endswith("parquet") else pd.read_csv
    return reader(io.BytesIO(content))


@pytest.mark.parametrize("path", PATHS)
def test_the_latest_day_of_every_card(gateway: Gateway, path: str) -> None:
    response = gateway.get(path)
    assert response.status_code == 200, response.text
    frame = opened(path, response.content)
    assert len(frame) == 40
    assert set(frame["date"].astype(str)) == {"2026-01-05"}
    card = gateway.get("/cards/card_4").json()
    row = frame[frame["slug"] == "card_4"].iloc[0]
    assert row["market_price"] == card["market_price"]
    assert row["fair_price"] == card["fair_price"]
    priced = gateway.post("/fair_price", {"card_id": "card_4"}).json()
    assert (row["signal"], row["reason"]) == (priced["signal"], priced["reason"])
    assert str(row["model_version"]) == priced["model_version"]
    assert response.headers["content-length"] == str(len(response.content))
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.headers["x-request-id"]


@pytest.mark.parametrize("path", PATHS)
def test_a_range_of_days(gateway: Gateway, path: str) -> None:
    response = gateway.get(path, params={"history": "2026-01-02..2026-01-03"})
    frame = opened(path, response.content)
    assert sorted(set(frame["date"].astype(str))) == ["2026-01-02", "2026-01-03"]
    assert len(opened(path, gateway.get(f"{path}?history=..").content)) == 200


@pytest.mark.parametrize(
    ("history", "status", "name"),
    [
        ("yesterday", 422, "invalid"),
        ("", 422, "invalid"),
        ("2026-13-01..", 422, "invalid"),
        ("2026-02-30..", 422, "invalid"),
        ("2026-11-31..", 422, "invalid"),
        ("2026-01-04..2026-01-02", 422, "invalid"),
        ("2027-01-01..", 404, "unknown-date"),
    ],
)
def test_days_that_do_not_exist_are_a_problem(
    gateway: Gateway, history: str, status: int, name: str
) -> None:
    assert_problem(gateway.get("/export.csv", params={"history": history}), status, name)


def test_too_many_rows_are_a_problem_that_says_how_many_days_will_do(
    make_gateway: Callable[..., Gateway], upstream: "Upstream"
) -> None:
    upstream.reply = head("422 No", "content-length: 34") + b'{"error":"request up to 2 days"}  '
    response = make_gateway(upstream.url).get("/export.csv?history=..")
    assert_problem(response, 422, "invalid")
    assert "request up to 2 days" in response.json()["detail"]


def test_a_download_continues_where_it_was_interrupted(gateway: Gateway) -> None:
    whole = gateway.get("/export.csv")
    tag = whole.headers["etag"]
    rest = gateway.get("/export.csv", headers={"Range": "bytes=1000-", "If-Range": tag})
    assert rest.status_code == 206
    assert whole.content[:1000] + rest.content == whole.content
    length = len(whole.content)
    assert rest.headers["content-range"] == f"bytes 1000-{length - 1}/{length}"
    assert rest.headers["etag"] == tag
    other = gateway.get("/export.csv", headers={"Range": "bytes=1000-", "If-Range": '"old"'})
    assert (other.status_code, other.content) == (200, whole.content)
    after = gateway.get("/export.csv", headers={"Range": f"bytes={length}-"})
    assert_problem(after, 416, "range-not-satisfiable")
    assert after.headers["content-range"] == f"bytes */{length}"


def test_a_file_that_the_client_has_is_not_sent_again(gateway: Gateway) -> None:
    tag = gateway.get("/export.parquet").headers["etag"]
    response = gateway.get("/export.parquet", headers={"If-None-Match": tag})
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == tag


def test_head_has_no_body(gateway: Gateway) -> None:
    response = gateway.ask("HEAD", "/export.csv")
    assert (response.status_code, response.content) == (200, b"")
    assert int(response.headers["content-length"]) > 1_000


def test_only_get_has_ranges(gateway: Gateway) -> None:
    response = gateway.ask("HEAD", "/export.csv", headers={"Range": "bytes=0-9"})
    assert response.status_code == 200
    assert "content-range" not in response.headers
    assert int(response.headers["content-length"]) > 1_000


def test_a_condition_too_long_to_pass_on_leaves_no_range_without_it(gateway: Gateway) -> None:
    """The client has the beginning of another file, and would add the rest of this one."""
    given = {"Range": "bytes=10-", "If-Range": f'"{"0" * 300}"'}
    assert gateway.get("/export.csv", headers=given).status_code == 200


def test_it_needs_the_scope_batch(gateway: Gateway) -> None:
    key = gateway.store.create("reader", scopes=["read"])
    gateway.app.assembly.key_cache.refresh()
    assert_problem(gateway.get("/export.csv", key=key.key), 403, "forbidden")
    assert_problem(gateway.get("/export.csv", key=""), 401, "unauthorized")


def test_without_a_model_server_it_is_unavailable(make_gateway: Callable[..., Gateway]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    assert_problem(make_gateway(url).get("/export.csv"), 503, "unavailable")


@pytest.fixture
def upstream() -> Iterator["Upstream"]:
    with Upstream() as found:
        yield found


class Upstream:
    """A server that sends the bytes in `reply` to every request and then closes or waits."""

    def __init__(self) -> None:
        self.reply = b""
        self.hold = False
        self.sent = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> "Upstream":
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            request = connection.recv(65_536)
            if b"export" not in request:
                return
            try:
                for start in range(0, len(self.reply), 65_536):
                    connection.sendall(self.reply[start : start + 65_536])
                    self.sent = start
                if self.hold:
                    connection.recv(1)
            except OSError:
                pass


def head(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


@pytest.mark.parametrize(
    ("reply", "status", "name"),
    [
        (head("200 OK", "content-length: 3") + b"abc", 502, "upstream-fault"),  # no entity tag
        (head("500 Oops", "content-length: 2") + b"{}", 502, "upstream-fault"),
        (head("503 No", "content-length: 40"), 503, "unavailable"),
        (b"not http\r\n\r\n", 502, "upstream-fault"),
        (b"", 503, "unavailable"),
        (
            head("503 No", "content-length: 42") + b'{"error":"the export is being prepared"}  ',
            503,
            "preparing",
        ),
    ],
    ids=["untagged", "500", "cut", "no-http", "closed", "preparing"],
)
def test_a_reply_that_cannot_be_passed_on(
    make_gateway: Callable[..., Gateway],
    upstream: Upstream,
    reply: bytes,
    status: int,
    name: str,
) -> None:
    upstream.reply = reply
    response = make_gateway(upstream.url).get("/export.csv")
    assert_problem(response, status, name)
    if name == "preparing":
        assert response.headers["retry-after"] == "5"


def test_a_body_that_ends_early_is_not_taken_for_a_whole_one(
    make_gateway: Callable[..., Gateway], upstream: Upstream
) -> None:
    upstream.reply = head("200 OK", "content-length: 100000", 'etag: "x"') + b"a" * 60_000
    with pytest.raises(httpx.RemoteProtocolError):
        make_gateway(upstream.url).get("/export.csv")


def test_a_client_that_reads_nothing_does_not_fill_the_memory(
    make_gateway: Callable[..., Gateway], upstream: Upstream
) -> None:
    size = 200_000_000
    upstream.reply = head("200 OK", f"content-length: {size}", 'etag: "x"') + b"a" * size
    gateway = make_gateway(upstream.url)
    with socket.create_connection(("127.0.0.1", int(gateway.url.rpartition(":")[2]))) as client:
        request = f"GET /export.csv HTTP/1.1\r\nHost: x\r\nX-API-Key: {gateway.key.key}\r\n\r\n"
        client.sendall(request.encode())
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        before, after = -1, upstream.sent
        while before < after:  # until it stops
            time.sleep(0.3)
            before, after = after, upstream.sent
        assert after < size / 5


def test_the_connection_upstream_ends_with_that_of_the_client(
    make_gateway: Callable[..., Gateway], upstream: Upstream
) -> None:
    size = 50_000_000
    upstream.reply = head("200 OK", f"content-length: {size}", 'etag: "x"') + b"a" * size
    gateway = make_gateway(upstream.url)
    with (
        httpx.Client() as client,
        client.stream(
            "GET", f"{gateway.url}/export.csv", headers={"X-API-Key": gateway.key.key}
        ) as response,
    ):
        next(response.iter_raw())

    async def ended() -> bool:
        return bool(gateway.app.assembly.exports.limit.running == 0)

    asyncio.run(until(ended))
    assert upstream.sent < size / 2


def test_the_number_of_downloads_is_limited(
    make_gateway: Callable[..., Gateway], upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "MAX_DOWNLOADS", 0)
    response = make_gateway(upstream.url).get("/export.csv")
    assert_problem(response, 503, "overloaded")


def test_a_key_that_reads_slowly_leaves_exports_to_others(
    make_gateway: Callable[..., Gateway], upstream: Upstream
) -> None:
    size = 50_000_000
    upstream.reply = head("200 OK", f"content-length: {size}", 'etag: "x"') + b"a" * size
    gateway = make_gateway(upstream.url)
    other = gateway.store.create("other", scopes=["batch"])
    gateway.app.assembly.key_cache.refresh()
    with httpx.Client(headers={"X-API-Key": gateway.key.key}) as slow, ExitStack() as open_ones:
        for _ in range(downloads.MAX_OF_A_CALLER):
            open_ones.enter_context(slow.stream("GET", f"{gateway.url}/export.csv"))
        refused = gateway.get("/export.csv")
        assert_problem(refused, 429, "rate-limited")
        assert refused.json()["detail"].startswith("4 downloads of yours are in progress")
        assert refused.headers["retry-after"] == "5"
        upstream.reply = head("200 OK", "content-length: 2", 'etag: "x"') + b"ab"
        assert gateway.get("/export.csv", key=other.key).content == b"ab"
