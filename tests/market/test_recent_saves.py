"""Saves and removals of data versions that happen at the same time."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pokewatch.market.recent_saves import RecentSaves
from pokewatch.settings import VersionSettings

DAY = timedelta(days=1)


@pytest.fixture
def remote(home: Path) -> Path:
    return Path(VersionSettings.read().remote())


@pytest.fixture
def saves(remote: Path) -> RecentSaves:
    return RecentSaves(VersionSettings.read())


def test_files_of_recorded_versions_are_known_until_forgotten(saves: RecentSaves) -> None:
    now = datetime.now(UTC)
    assert saves.recorded(now - DAY) == set()
    saves.record("v1", ["a", "b"])
    saves.record("v2", ["b", "c"])
    assert saves.recorded(now - DAY) == {"v1.dir", "v2.dir", "a", "b", "c"}
    assert saves.recorded(now + DAY) == set()
    saves.forget(now - DAY)
    assert len(saves.recorded(now - DAY)) == 5
    saves.forget(now + DAY)
    assert saves.recorded(now - DAY) == set()


def test_a_record_cut_short_is_no_record_and_forgotten(saves: RecentSaves, remote: Path) -> None:
    (remote / "saves").mkdir(parents=True)
    (remote / "saves" / ".v1.0123456789abcdef").write_text("[")
    assert saves.recorded(datetime.now(UTC) - DAY) == set()
    saves.forget(datetime.now(UTC) + DAY)
    assert list((remote / "saves").iterdir()) == []


def test_a_save_waits_for_all_removals(saves: RecentSaves) -> None:
    saving = threading.Thread(target=saves.record, args=("v1", ["a"]))
    with saves.removal():
        with saves.removal():
            saving.start()
            saving.join(0.5)
        saving.join(0.5)
        assert saving.is_alive()
        assert saves.recorded(datetime.now(UTC) - DAY) == {"v1.dir", "a"}  # kept all the same
    saving.join(10)
    assert not saving.is_alive()
