"""Removals at a remote, and those who wait for their end."""

import errno
import threading
from pathlib import Path

import pytest

from pokewatch import removals
from pokewatch.errors import VersionError
from pokewatch.remote_files import open_remote
from pokewatch.removals import Removals
from pokewatch.settings import VersionSettings


@pytest.fixture
def found(tmp_path: Path) -> Removals:
    files, folder = open_remote(str(tmp_path / "removals"), VersionSettings.read())
    return Removals(files, folder)


def test_one_waits_until_every_removal_has_ended(found: Removals) -> None:
    waiting = threading.Thread(target=found.wait)
    with found.announced():
        with found.announced():
            waiting.start()
            waiting.join(0.3)
        waiting.join(0.3)
        assert waiting.is_alive()
    waiting.join(10)
    assert not waiting.is_alive()


def test_nothing_to_wait_for(found: Removals, tmp_path: Path) -> None:
    found.wait()
    assert not (tmp_path / "removals").exists()


def test_nobody_waits_for_a_removal_that_was_killed(
    found: Removals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removals, "_ABANDONED_SECONDS", 0.3)
    (tmp_path / "removals").mkdir()
    (tmp_path / "removals" / "killed").write_text("0")
    (tmp_path / "removals" / "as-it-was-written.part").touch()
    found.wait()
    assert list((tmp_path / "removals").iterdir()) == []


def test_a_long_wait_is_logged_once_and_a_short_one_is_not(
    found: Removals,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(removals, "_ABANDONED_SECONDS", 0.6)
    (tmp_path / "removals").mkdir()
    (tmp_path / "removals" / "killed").touch()
    found.wait()
    assert caplog.messages == []
    monkeypatch.setattr(removals, "_REWRITTEN_SECONDS", 0.0)
    (tmp_path / "removals" / "killed").touch()
    found.wait()
    (message,) = caplog.messages
    assert str(tmp_path / "removals") in message
    assert "a removal that was killed is given up after 0.6 s" in message


def test_a_removal_taken_for_abandoned_goes_no_further(
    found: Removals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removals, "_REWRITTEN_SECONDS", 0.0)
    with found.announced() as proceed:
        (announced,) = (tmp_path / "removals").iterdir()
        before = announced.read_text()
        proceed()
        assert announced.read_text() != before
        announced.unlink()
        with pytest.raises(VersionError, match="run it again"):
            proceed()
    assert list((tmp_path / "removals").iterdir()) == []


def test_a_removal_goes_on_where_there_is_no_room_to_announce_it_again(
    found: Removals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removals, "_REWRITTEN_SECONDS", 0.0)
    with found.announced() as proceed:
        with monkeypatch.context() as full:
            full.setattr(removals, "write_atomically", no_room)
            proceed()
        (announced,) = (tmp_path / "removals").iterdir()
        assert announced.read_text() == ""
        proceed()
        assert announced.read_text() != ""


def no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
