"""The checks of servers, with real HTTP servers in place of MLServer."""

import json
import re
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from pokewatch.deploy.golden import GoldenRequests
from pokewatch.deploy.server_checks import Breach, CheckedServer, check_servers
from pokewatch.errors import DeployOutageError
from pokewatch.settings import DeployWatchSettings
from pokewatch.valuation.book import PriceBook
from tests.answering import answering
from tests.serving.books import make_book
from tests.serving.server import free_ports

SECONDS = {"deploy_watch_seconds": 1.5, "deploy_watch_p95_seconds": 0.2}


class Upstream(ThreadingHTTPServer):
    """Answers golden requests from the book; its metrics have `live` other requests for each."""

    daemon_threads = True

    def __init__(
        self,
        golden: GoldenRequests,
        status: int = 200,
        delay: float = 0.0,
        live: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.answer = {
            "parameters": {"model_version": golden.version},
            "outputs": [
                {"name": name, "data": _plain(values)} for name, values in golden.prices.items()
            ]
            + [{"name": "status", "data": list(golden.status)}],
        }
        self.status, self.live = status, dict(live or {})
        self.delayed = threading.Event() if delay else None
        self.delay, self.requests = delay, 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def metrics(self) -> str:
        path = 'method="POST",path="/v2/models/{model_name}/infer"'
        live = {name: count * self.requests for name, count in self.live.items()}
        fast, failed, slow = (live.get(name, 0) for name in ("fast", "failed", "slow"))
        bucket = "rest_server_request_duration_seconds_bucket"
        return "\n".join(
            (
                "# TYPE rest_server_requests counter",
                f'rest_server_requests_total{{{path},status_code="200"}} {fast + slow}',
                f'rest_server_requests_total{{{path},status_code="500"}} {failed}',
                'rest_server_requests_total{path="/v2/health",status_code="500"} 1e6',
                "# TYPE rest_server_request_duration_seconds histogram",
                f'{bucket}{{{path},le="0.1"}} {fast + failed}',
                f'{bucket}{{{path},le="1.0"}} {fast + failed + slow}',
                f'{bucket}{{{path},le="+Inf"}} {fast + failed + slow}',
                "",
            )
        )


def _plain(values: Any) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]


class _Answers(BaseHTTPRequestHandler):
    server: Upstream

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests += 1
        if self.server.delayed:
            self.server.delayed.wait(self.server.delay)
        self._answer(self.server.status, json.dumps(self.server.answer))

    def do_GET(self) -> None:
        self._answer(200 if self.server.live else 404, self.server.metrics())

    def _answer(self, status: int, content: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def golden(tmp_path: Path) -> GoldenRequests:
    return GoldenRequests.from_book(
        PriceBook.open(tmp_path / "book", make_book(tmp_path / "book")), "2", 10
    )


def checked(
    upstream: Upstream, golden: GoldenRequests, monkeypatch: pytest.MonkeyPatch, **settings: float
) -> Breach | None:
    with answering(upstream), httpx.Client() as client:
        monkeypatch.setenv("POKEWATCH_MLSERVER_METRICS_PORT", str(upstream.server_port))
        return check_servers(
            client, [upstream.address], golden, DeployWatchSettings.read(**{**SECONDS, **settings})
        )


def test_a_good_server_passes(golden: GoldenRequests, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = Upstream(golden, live={"fast": 50})
    assert checked(upstream, golden, monkeypatch) is None
    assert upstream.requests >= 5


@pytest.mark.parametrize(
    ("address", "metrics"),
    [
        ("http://models:8080", "http://models:8082/metrics"),
        ("https://models", "https://models:8082/metrics"),
        ("http://[::1]:8080", "http://[::1]:8082/metrics"),
        ("http://[::1]", "http://[::1]:8082/metrics"),
    ],
)
def test_metrics_are_at_the_same_host(golden: GoldenRequests, address: str, metrics: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        requested.append(str(request.url))
        return httpx.Response(404)

    requested: list[str] = []
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        CheckedServer(address, golden, DeployWatchSettings.read(), 8082).start(client)
    assert requested == [metrics]


def test_without_metrics_golden_requests_suffice(
    golden: GoldenRequests, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert checked(Upstream(golden), golden, monkeypatch) is None
    assert "golden requests are its only checks" in caplog.text


@pytest.mark.parametrize(
    ("fault", "check", "found"),
    [
        ({"status": 500}, "errors", r"5 of 5 golden requests failed \(HTTP 500\), limit 2\.0%"),
        ({"delay": 0.3}, "latency", r"p95 of 5 golden requests is 0\.[3-9]\d* s, limit 0\.2 s"),
        (
            {"live": {"fast": 90, "failed": 10}},
            "live errors",
            r"10 of 100 requests failed, limit 2\.0%",
        ),
        (
            {"live": {"fast": 90, "slow": 10}},
            "live latency",
            r"90\.0% of 100 requests within 0\.2 s, minimum 95%",
        ),
    ],
    ids=["errors", "slow", "live-errors", "live-latency"],
)
def test_a_failed_check_is_named_with_its_value(
    fault: dict[str, Any],
    check: str,
    found: str,
    golden: GoldenRequests,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    breach = checked(Upstream(golden, **fault), golden, monkeypatch, deploy_watch_seconds=20)
    assert breach is not None
    assert breach.check == check
    assert re.fullmatch(found, breach.found)


def test_a_wrong_answer_fails_at_the_first_request(
    golden: GoldenRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = Upstream(golden)
    upstream.answer["outputs"][1]["data"][0] = 77.0  # type: ignore[index]
    breach = checked(upstream, golden, monkeypatch)
    assert breach is not None
    assert (upstream.requests, breach.check) == (1, "golden answers")
    assert not isinstance(breach.error("2"), DeployOutageError)
    assert (
        "1 of 10 cards differ from the book; "
        "fair price of tcgplayer-0-normal: 77.0, in the book 1.04" in str(breach)
    )


def test_a_few_live_requests_are_not_judged(
    golden: GoldenRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checked(Upstream(golden, live={"failed": 1}), golden, monkeypatch) is None


@pytest.mark.slow
@pytest.mark.timeout(60, func_only=True)
def test_servers_that_hang_fail_within_a_minute(golden: GoldenRequests) -> None:
    upstreams = [Upstream(golden, delay=300.0) for _ in range(3)]
    with ExitStack() as stack, httpx.Client() as client:
        for upstream in upstreams:
            stack.enter_context(answering(upstream))
            stack.callback(upstream.delayed.set)  # type: ignore[union-attr]
        breach = check_servers(
            client,
            [upstream.address for upstream in upstreams],
            golden,
            DeployWatchSettings.read(deploy_watch_seconds=300),
        )
    assert breach is not None
    assert breach.check == "errors"
    assert breach.found.startswith("5 of 5 golden requests failed (ReadTimeout")


def test_a_refused_connection_is_an_error(golden: GoldenRequests) -> None:
    (port,) = free_ports(1)
    with httpx.Client() as client:
        breach = check_servers(
            client,
            [f"http://127.0.0.1:{port}"],
            golden,
            DeployWatchSettings.read(deploy_watch_seconds=20),
        )
    assert breach is not None
    assert breach.check == "errors"
    assert "ConnectError" in breach.found
    assert isinstance(breach.error("2"), DeployOutageError), "the version is not at fault"


@pytest.mark.slow
def test_a_server_that_was_stopped_meanwhile_is_left_out(golden: GoldenRequests) -> None:
    """The autoscaler removed it; the others are checked until the end."""
    (port,) = free_ports(1)
    gone = f"http://127.0.0.1:{port}"
    settings = DeployWatchSettings.read(deploy_watch_seconds=4)
    kept = Upstream(golden, live={})
    with answering(kept), httpx.Client() as client:
        addresses = [gone, kept.address]
        assert check_servers(client, addresses, golden, settings, gone.__ne__) is None
        breach = check_servers(client, addresses, golden, settings)
    assert breach is not None
    assert breach.address == gone
    assert kept.requests > 5
