"""The history, wherever it is kept."""

import json
import multiprocessing
from datetime import date, timedelta
from pathlib import Path

import pytest

from pokewatch.monitoring.history import MeasurementHistory
from pokewatch.state_store import StateStore

DAY = date(2026, 1, 31)


def test_days_come_back_in_order_and_a_day_again_adds_nothing(place: str) -> None:
    history = MeasurementHistory()
    assert history.days() == {}
    assert history.append(DAY, {"figures": {"bias": 0.1}})
    assert history.append(DAY - timedelta(days=1), {"figures": {"bias": 0.2}})
    before = StateStore().names("history")
    assert not MeasurementHistory().append(DAY, {"figures": {"bias": 0.1}})
    assert StateStore().names("history") == before
    assert [
        (day, entry["figures"]["bias"]) for day, entry in MeasurementHistory().days().items()
    ] == [
        (DAY - timedelta(days=1), 0.2),
        (DAY, 0.1),
    ]


def test_another_result_of_a_day_is_added_and_stands(place: str) -> None:
    kept = StateStore()
    for version in ("1", "2", "1"):
        before = {name: kept.read(name) for name in kept.names("history")}
        assert MeasurementHistory().append(DAY, {"version": version})
        assert {name: kept.read(name) for name in before} == before
        assert len(kept.names("history")) == len(before) + 1
        assert MeasurementHistory().days()[DAY]["version"] == version


def test_a_pod_finds_what_one_before_it_measured(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MeasurementHistory().append(DAY, {"version": "1"})
    monkeypatch.setenv("POKEWATCH_HOME", str(tmp_path / "another disk"))
    assert list(MeasurementHistory().days()) == ([DAY] if place else [])


def test_a_damaged_entry_loses_only_itself(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    for days in (0, 2):
        MeasurementHistory().append(DAY + timedelta(days=days), {"version": str(days)})
    StateStore().write("history/2026-02-01/0000-x.json", '{"measured_on": "2026-02-01", "ver')
    assert [entry["version"] for entry in MeasurementHistory().days().values()] == ["0", "2"]
    assert "history/2026-02-01/0000-x.json of the history of monitoring is damaged" in caplog.text


def _append(number: int) -> None:
    for day in range(20):
        MeasurementHistory().append(DAY + timedelta(days=day), {"by": number, "long": "x" * 5000})


def test_of_writers_at_the_same_time_none_loses_a_line(home: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.map(_append, range(3))
    assert len(StateStore().names("history")) == 60
    assert len(MeasurementHistory().days()) == 20


def test_the_latest_figures_are_replaced(home: Path) -> None:
    for bias in (0.1, 0.2):
        MeasurementHistory().write_latest(DAY, {"bias": bias})
    folder = home / "monitoring"
    assert json.loads((folder / "latest.json").read_text()) == {
        "measured_on": "2026-01-31",
        "figures": {"bias": 0.2},
    }
    assert [path.name for path in folder.iterdir()] == ["latest.json"]
