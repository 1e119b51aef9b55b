"""Notifications to a real web server, and from a real run of a flow."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pokewatch.notify import notify, send_once
from pokewatch.registry import Registry
from pokewatch.settings import NotifySettings
from tests.conftest import ROOT
from tests.monitoring.listener import Listener, listening
from tests.serving.server import free_ports


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as server:
        yield server


def test_every_address_is_notified(listener: Listener) -> None:
    settings = NotifySettings.read(notify_urls=f"{listener.address}, {listener.address}")
    assert notify("A title", "What happened", settings)
    assert [(each["title"], each["message"]) for each in listener.heard] == [
        ("A title", "What happened")
    ] * 2


def test_without_addresses_nothing_is_sent() -> None:
    assert notify("A title", "What happened")


@pytest.mark.parametrize(
    "broken",
    ["nonsense://", "json://127.0.0.1:1/hooks/s3cret"],
    ids=["no such kind", "nobody listens"],
)
def test_a_failing_channel_is_logged_without_its_secret_and_the_others_receive(
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


def test_the_same_event_is_sent_once_within_the_window(
    listener: Listener, registry_home: Path
) -> None:
    assert [heard_of(listener, "deployed") for _ in range(3)] == [1, 0, 0]
    assert heard_of(listener, "rolled back") == 1
    assert heard_of(listener, "deployed", "version 3") == 1
    assert heard_of(listener, "deployed", notify_window_hours=0.0) == 1
    assert "s3cret" not in (Registry().get_state("notified") or "s3cret")


def test_what_was_sent_while_the_clock_was_wrong_keeps_nothing_back(
    listener: Listener, registry_home: Path
) -> None:
    heard_of(listener, "deployed")
    sent = json.loads(Registry().get_state("notified"))
    later = {key: when + 10 * 365 * 86_400 for key, when in sent.items()}
    Registry().set_state("notified", json.dumps(later))
    assert [heard_of(listener, "deployed") for _ in range(2)] == [1, 0]


def test_another_machine_with_the_same_registry_does_not_notify_again(
    listener: Listener, registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = f"sqlite:///{registry_home}/mlflow/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shared)
    heard_of(listener, "deployed")
    monkeypatch.setenv("POKEWATCH_HOME", str(tmp_path / "another disk"))
    assert heard_of(listener, "deployed") == 0


def test_a_branch_notifies_on_its_own(
    listener: Listener, registry_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard_of(listener, "deployed")
    monkeypatch.setenv("POKEWATCH_BRANCH", "user.anna")
    assert [heard_of(listener, "deployed") for _ in range(2)] == [1, 0]


def test_without_a_registry_the_notification_is_sent_anyway(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert heard_of(listener, "deployed") == 1
    assert "earlier notifications cannot be read" in caplog.text


def test_only_the_newest_notifications_are_stored(listener: Listener, registry_home: Path) -> None:
    now = int(time.time())
    Registry().set_state("notified", json.dumps({f"{n:016x}": now - n for n in range(150)}))
    heard_of(listener, "deployed")
    stored = Registry().get_state("notified")
    assert (len(json.loads(stored)), f"{149:016x}" in stored) == (150, False)
    assert len(stored) <= 5000, "what a registry in PostgreSQL can store"


def test_a_failed_address_is_tried_again_and_the_others_are_not(
    listener: Listener, registry_home: Path
) -> None:
    with listening() as other:
        settings = NotifySettings.read(notify_urls=f"{listener.address},{other.address}")
        other.status = 500
        assert not send_once("drift", "coverage", "A title", "What happened", settings)
        other.status = 200
        assert send_once("drift", "coverage", "A title", "What happened", settings)
        assert (len(listener.heard), len(other.heard)) == (1, 2)


def test_without_a_folder_for_the_lock_the_notification_is_sent_anyway(
    listener: Listener, home: Path
) -> None:
    (home / "monitoring").write_text("a file, where a folder should be")
    assert heard_of(listener, "deployed") == 1


def test_the_addresses_are_not_shown() -> None:
    assert "s3cret" not in repr(NotifySettings.read(notify_urls="slack://s3cret"))


@pytest.mark.slow
def test_a_run_notifies_of_its_end_from_any_folder(
    listener: Listener, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", listener.address)
    empty = tmp_path / "prices.csv"
    empty.write_text("card_id,date,market_price\n")  # known to be empty once it is collected
    arguments = ["run", "--source", "file", "--file", str(empty)]
    command = [sys.executable, str(ROOT / "flows" / "flow.py"), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    (heard,) = listener.heard
    assert heard["title"].startswith("PokeWatch: PokeWatchFlow/")
    assert heard["title"].endswith("failed")
