"""The rest is tested by its command, in tests/integration/test_serve.py."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pokewatch.cli.local_stack import Stack, log_folder, not_ready
from pokewatch.settings import GatewaySettings, ServingSettings
from tests.answering import answering
from tests.serving.server import free_ports


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # not listened on
        ("::1", "http://[::1]:8000"),
        ("::", "http://[::1]:8000"),
    ],
)
def test_the_gateway_is_asked_at_an_address_of_this_machine(
    tmp_path: Path, host: str, url: str
) -> None:
    gateway = GatewaySettings.read(gateway_host=host, gateway_port=8000)
    assert Stack(ServingSettings.read(), gateway, tmp_path).gateway_url == url


def test_the_logs_of_two_at_once_are_in_two_folders(tmp_path: Path) -> None:
    """The second one renamed the files that the first was writing, and took their names."""
    logs = tmp_path / "home" / "logs"
    with log_folder(logs, 8000) as first, log_folder(logs, 8010) as second:
        assert (first, second) == (logs, logs / "8010")
    with log_folder(logs, 8010) as later:
        assert later == logs


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b"{}", ""),
        (503, b'{"detail": "the prices are too old"}', "the prices are too old"),
        (503, b'{"markets": []}', "status 503"),
        (503, b"[]", "status 503"),
        (500, b"no JSON", "status 500"),
    ],
)
def test_a_server_that_is_not_ready_says_why(status: int, body: bytes, reason: str) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        assert not_ready(f"http://127.0.0.1:{server.server_port}/ready") == reason


def test_a_server_that_does_not_run_gives_no_answer() -> None:
    [port] = free_ports(1)
    assert not_ready(f"http://127.0.0.1:{port}/ready") == "no answer"
