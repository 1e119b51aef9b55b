"""Notifications to a real web server, and from a real run of a flow."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pokewatch.notify import notify, send_once
from pokewatch.settings import NotifySettings
from pokewatch.state_store import StateStore
from tests.conftest import ROOT
from tests.monitoring.listener import Listener, listening
from tests.s3 import CREDENTIALS
from tests.serving.server import free_ports

pytestmark = pytest.mark.filterwarnings(
    "ignore:'imghdr' is deprecated:DeprecationWarning"
)  # Apprise asks for it on Python 3.11 and 3.12


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as server:
        yield server


def test_everybody_is_told(listener: Listener) -> None:
    settings = NotifySettings.read(notify_urls=f"{listener.address}, {listener.address}")
    assert notify("A title", "What happened", settings)
    assert [(each["title"], each["message"]) for each in listener.heard] == [
        ("A title", "What happened")
    ] * 2


def test_without_addresses_there_is_nobody_to_tell() -> None:
    assert notify("A title", "What happened")


@pytest.mark.parametrize(
    "broken",
    ["nonsense://", "json://127.0.0.1:1/hooks/s3cret"],
    ids=["no such kind", "nobody listens"],
)
def test_a_channel_that_fails_is_logged_without_its_secret_and_the_others_are_told(
    broken: str, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "pokewatch"):
        assert not notify(
            "A title",
            "What happened",
            NotifySettings.read(notify_urls=f"{broken},{listener.address}"),
        )
    assert len(listener.heard) == 1
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("pokewatch")]
    assert len(ours) == 1
    assert "s3cret" not in ours[0]


def heard_of(listener: Listener, event: str, about: str = "version 2", **settings: object) -> int:
    before = len(listener.heard)
    send_once(
        event,
        about,
        "A title",
        "What happened",
        NotifySettings.read(notify_urls=listener.address, **settings),
    )
    return len(listener.heard) - before


def test_the_same_event_is_told_once_within_the_window(listener: Listener, place: str) -> None:
    assert [heard_of(listener, "deployed") for _ in range(3)] == [1, 0, 0]
    assert heard_of(listener, "rolled back") == 1
    assert heard_of(listener, "deployed", "version 3") == 1
    assert heard_of(listener, "deployed", notify_window_hours=0.0) == 1
    assert "s3cret" not in (StateStore().read("told.json") or "s3cret")


def test_what_another_pod_told_is_not_told_again(
    listener: Listener, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard_of(listener, "deployed")
    monkeypatch.setenv("POKEWATCH_HOME", str(tmp_path / "another disk"))
    assert heard_of(listener, "deployed") == (0 if place else 1)


def test_people_are_told_where_the_place_to_keep_it_cannot_be_reached(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("POKEWATCH_DVC_REMOTE", "s3://data/nowhere")
    monkeypatch.setenv("POKEWATCH_DVC_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    for name, value in (CREDENTIALS | {"AWS_MAX_ATTEMPTS": "1"}).items():
        monkeypatch.setenv(name, value)
    assert heard_of(listener, "deployed") == 1
    assert "cannot be looked up" in caplog.text


def test_nobody_is_told_twice_where_nothing_can_be_written(
    listener: Listener,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (home / "remote").symlink_to(home / "not there")
    monkeypatch.setenv("POKEWATCH_DVC_REMOTE", str(home / "remote"))
    assert heard_of(listener, "deployed") == 1
    assert "cannot be kept" in caplog.text


def test_an_address_that_failed_is_tried_again_and_the_others_are_not_told_twice(
    listener: Listener, home: Path
) -> None:
    with listening() as other:
        settings = NotifySettings.read(notify_urls=f"{listener.address},{other.address}")
        other.status = 500
        assert not send_once("drift", "coverage", "A title", "What happened", settings)
        other.status = 200
        assert send_once("drift", "coverage", "A title", "What happened", settings)
        assert (len(listener.heard), len(other.heard)) == (1, 2)


def test_people_are_told_where_nothing_can_be_kept(listener: Listener, home: Path) -> None:
    (home / "monitoring").write_text("a file, where a folder should be")
    assert heard_of(listener, "deployed") == 1


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
