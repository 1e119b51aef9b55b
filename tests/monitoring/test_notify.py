"""Notifications to a real web server, and from a real run of a flow."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pokewatch.monitoring.notify import notify
from pokewatch.settings import NotifySettings
from tests.conftest import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise asks for it on Python 3.11 and 3.12


class Listener(ThreadingHTTPServer):
    """Takes webhooks; answers 500 where told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.heard: list[dict[str, str]] = []
        self.status = 200

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.server_port}/hooks/s3cret"


class _Answers(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        self.server.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_everybody_is_told(listener: Listener) -> None:
    settings = NotifySettings.read(notify_urls=f"{listener.address}, {listener.address}")
    assert notify("A title", "What happened", settings)
    assert [(each["title"], each["message"]) for each in listener.heard] == [("A title", "What happened")] * 2


def test_without_addresses_there_is_nobody_to_tell() -> None:
    assert notify("A title", "What happened")


@pytest.mark.parametrize("broken", ["nonsense://", "json://127.0.0.1:1/hooks/s3cret"], ids=["no such kind", "nobody listens"])
def test_a_channel_that_fails_is_logged_without_its_secret_and_the_others_are_told(
    broken: str, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "pokewatch"):
        assert not notify("A title", "What happened", NotifySettings.read(notify_urls=f"{broken},{listener.address}"))
    assert len(listener.heard) == 1
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("pokewatch")]
    assert len(ours) == 1
    assert "s3cret" not in ours[0]


def test_the_addresses_are_not_shown() -> None:
    assert "s3cret" not in repr(NotifySettings.read(notify_urls="slack://s3cret"))


@pytest.mark.slow
def test_a_run_tells_of_its_end_wherever_it_was_started(
    listener: Listener, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", listener.address)
    command = [sys.executable, str(ROOT / "flows" / "flow.py"), "run", "--days", "0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    (heard,) = listener.heard
    assert heard["title"].startswith("PokeWatch: PokeWatchFlow/")
    assert heard["title"].endswith("failed")
