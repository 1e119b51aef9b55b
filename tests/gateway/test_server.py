"""`pokewatch gateway` as a process."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from pokewatch.errors import KeyStoreError, SettingsError
from pokewatch.gateway.auth.keys import KeyStore, NewKey
from pokewatch.settings import Home
from tests.conftest import ROOT
from tests.faults.proxy import proxied
from tests.serving.server import Server, free_ports

pytestmark = pytest.mark.integration

RUN = (
    "from pokewatch.gateway.server import run; from pokewatch.settings import GatewaySettings; "
    "run(GatewaySettings.read())"
)


@contextmanager
def started(
    code: str, log: Path, python: str = sys.executable, **settings: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    [port] = free_ports(1)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "POKEWATCH_GATEWAY_PORT": str(port),
        **settings,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [python, "-c", code], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_for_health(f"http://127.0.0.1:{port}", process, log)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@retry(
    stop=stop_after_delay(30),
    wait=wait_fixed(0.05),
    retry=retry_if_exception_type(httpx.TransportError),
    reraise=True,
)
def _wait_for_health(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    if process.poll() is not None:
        raise RuntimeError(f"the gateway ended with {process.returncode}:\n{log.read_text()}")
    assert httpx.get(f"{url}/health").status_code == 200


@pytest.fixture
def key(home: Path) -> NewKey:
    return KeyStore(Home.read().keys).create("tests")


def test_it_serves_and_stops(mlserver: Server, key: NewKey, tmp_path: Path) -> None:
    with started(RUN, tmp_path / "log", POKEWATCH_MLSERVER_URL=mlserver.url) as (process, url):
        response = httpx.post(
            f"{url}/fair_price", json={"card_id": "card_4"}, headers={"X-API-Key": key.key}
        )
        assert response.status_code == 200, response.text
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)


def test_what_prevents_the_start_is_one_line(home: Path) -> None:
    """uvicorn would log it as a traceback, and exit with a code of its own."""

    def refused(port: int, variable: str = "POKEWATCH_GATEWAY_PORT") -> tuple[int, str]:
        settings = {"POKEWATCH_GATEWAY_PORT": "0", "POKEWATCH_GATEWAY_METRICS_PORT": "0"}
        settings[variable] = str(port)
        ended = subprocess.run(
            [sys.executable, "-m", "pokewatch.cli.main", "gateway"],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return ended.returncode, ended.stderr

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for variable in ("POKEWATCH_GATEWAY_PORT", "POKEWATCH_GATEWAY_METRICS_PORT"):
            code, reason = refused(port, variable)
            assert code == SettingsError.exit_code
            assert reason.startswith(f"Error: {variable}: cannot listen at 127.0.0.1:{port}")
    path = home / "keys.sqlite"
    path.write_bytes(b"garbage" * 100)
    code, reason = refused(0)
    assert code == KeyStoreError.exit_code
    assert reason.startswith(f"Error: {path}: file is not a database; restore the file")


def test_logs_are_json_lines_without_keys(mlserver: Server, key: NewKey, tmp_path: Path) -> None:
    log = tmp_path / "log"
    wrong = key.key[:-3] + "xyz"
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    [port] = free_ports(1)
    settings = {"POKEWATCH_MLSERVER_URL": mlserver.url, "POKEWATCH_GATEWAY_METRICS_PORT": str(port)}
    settings["POKEWATCH_PAGE"] = "key"
    with started(RUN, log, **settings) as (process, url):
        for given in (key.key, wrong):
            httpx.post(
                f"{url}/fair_price",
                json={"card_id": given},
                headers={"X-API-Key": given, "X-Request-Id": "r1", "traceparent": trace},
            )
        httpx.get(f"{url}/{key.key}?key={key.key}", headers={"Authorization": f"Bearer {key.key}"})
        httpx.get(f"{url}/cards/card_4?{key.key}={key.key}", headers={"X-API-Key": key.key})
        shown = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        form = {"Content-Type": "multipart/form-data; boundary=x", "Origin": url}
        assert httpx.post(f"{url}/collection", content="no form", headers=form).status_code == 422
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    text = log.read_text() + shown
    for secret in (key.key, wrong, key.key.split("_", 2)[2]):
        assert secret not in text
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert "python_multipart.multipart" in [line.get("logger") for line in lines]
    [unknown] = [line["cause"] for line in lines if line["event"] == "unknown setting"]
    assert unknown.endswith("did you mean POKEWATCH_PAGES?")
    requests = [
        line for line in lines if line["event"] == "request" and line["route"] == "/fair_price"
    ]
    assert [
        (line["status"], line["request_id"], line.get("key"), line["trace"]) for line in requests
    ] == [
        (422, "r1", key.id, trace),
        (401, "r1", None, trace),
    ]


def test_sigterm_completes_open_requests(mlserver: Server, key: NewKey, tmp_path: Path) -> None:
    [port] = free_ports(1)
    with proxied(mlserver.http_port) as proxy:
        settings = {
            "POKEWATCH_MLSERVER_URL": proxy.url,
            "POKEWATCH_UPSTREAM_SECONDS": "20",
            "POKEWATCH_DEADLINE_SECONDS": "20",
        }
        settings["POKEWATCH_GATEWAY_METRICS_PORT"] = str(port)
        with started(RUN, tmp_path / "log", POKEWATCH_DRAIN_SECONDS="0.5", **settings) as (
            process,
            url,
        ):
            _wait_until_ready(url)
            proxy.mode, proxy.pause = "trickle", 0.002
            body = [
                "-H",
                f"X-API-Key: {key.key}",
                "-H",
                "Content-Type: application/json",
                "-d",
                '{"card_id":"card_4"}',
            ]
            asking = subprocess.Popen(
                [
                    "curl",
                    "-s",
                    "-o",
                    str(tmp_path / "answer"),
                    "-w",
                    "%{http_code}",
                    *body,
                    f"{url}/fair_price",
                ],
                stdout=subprocess.PIPE,
            )
            _wait_until_busy(port)
            process.send_signal(signal.SIGTERM)
            _wait_until_draining(url)
            output, _ = asking.communicate(timeout=30)
            assert output == b"200", (tmp_path / "log").read_text()
            assert process.wait(30) in (0, -signal.SIGTERM)


def test_connections_are_closed_while_it_drains(mlserver: Server, tmp_path: Path) -> None:
    """A proxy must not send a request on one as it is closed at the end."""
    settings = {"POKEWATCH_MLSERVER_URL": mlserver.url, "POKEWATCH_DRAIN_SECONDS": "20"}
    with started(RUN, tmp_path / "log", **settings) as (process, url), httpx.Client() as client:
        _wait_until_ready(url)
        kept = [client.get(f"{url}/{path}").headers.get("connection") for path in ("", "missing")]
        assert kept == [None, None]
        process.send_signal(signal.SIGTERM)
        _wait_until_draining(url)
        for path, status in (("", 200), ("missing", 404)):
            response = client.get(f"{url}/{path}")
            assert (response.status_code, response.headers["connection"]) == (status, "close")


@retry(
    stop=stop_after_delay(20),
    wait=wait_fixed(0.05),
    retry=retry_if_exception_type(AssertionError),
    reraise=True,
)
def _wait_until_ready(url: str) -> None:
    assert httpx.get(f"{url}/ready").status_code == 200


@retry(
    stop=stop_after_delay(20),
    wait=wait_fixed(0.01),
    retry=retry_if_exception_type(AssertionError),
    reraise=True,
)
def _wait_until_busy(port: int) -> None:
    assert (
        "pokewatch_gateway_waiting_rows 1.0" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
    )


@retry(
    stop=stop_after_delay(20),
    wait=wait_fixed(0.01),
    retry=retry_if_exception_type(AssertionError),
    reraise=True,
)
def _wait_until_draining(url: str) -> None:
    try:
        assert httpx.get(f"{url}/ready").json()["detail"] == "shutting down"
    except httpx.TransportError:
        return


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        pytest.param(
            b"POST /fair_price HTTP/1.1\r\nHost: x\r\n",
            b"",
            id="slow-headers",
            marks=pytest.mark.slow,
        ),
        pytest.param(b"", b"", id="nothing", marks=pytest.mark.slow),
        pytest.param(
            b"POST /fair_price HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 50\r\nX-API-Key: %s\r\n\r\n{",
            b"408",
            id="slow-body",
        ),
    ],
)
def test_slow_clients_are_disconnected(
    mlserver: Server, key: NewKey, tmp_path: Path, sent: bytes, answer: bytes
) -> None:
    with started(
        RUN, tmp_path / "log", POKEWATCH_MLSERVER_URL=mlserver.url, POKEWATCH_BODY_SECONDS="0.4"
    ) as (_, url):
        with socket.create_connection(
            ("127.0.0.1", int(url.rsplit(":", 1)[1])), timeout=20
        ) as client:
            client.sendall(sent.replace(b"%s", key.key.encode()))
            received = b""
            while data := client.recv(65_536):
                received += data
        assert received[9:12] == answer
