"""The days of the event log that are removed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pokewatch.retention.event_days import remove_old_events
from pokewatch.retention.tidy import tidy

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.fixture
def events(home: Path) -> Path:
    folder = home / "events"
    for name in ("date=2026-01-29", "date=2026-01-30", "date=2026-03-31", "date=odd", "notes"):
        (folder / name).mkdir(parents=True)
        (folder / name / "some.parquet").write_bytes(bytes(10))
    return folder


def test_days_older_than_those_kept_are_removed(events: Path) -> None:
    found = list(remove_old_events(events, NOW, timedelta(days=60), dry_run=True))
    assert found == [("1 day of events", 10)]
    assert len(list(events.iterdir())) == 5
    assert list(remove_old_events(events, NOW, timedelta(days=60), dry_run=False)) == found
    assert "date=2026-01-29" not in {each.name for each in events.iterdir()}
    assert len(list(events.iterdir())) == 4
    assert list(remove_old_events(events, NOW, timedelta(days=60), dry_run=False)) == []


def test_tidy_removes_them_by_the_setting(events: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKEWATCH_KEEP_DAYS", "40")
    names = [each.name for each in tidy(now=NOW) if "events" in each.name]
    assert names == ["2 days of events"]


def test_a_home_without_events(home: Path) -> None:
    assert list(remove_old_events(home / "events", NOW, timedelta(days=60), dry_run=False)) == []
