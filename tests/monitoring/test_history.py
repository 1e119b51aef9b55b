"""The history on disk."""

import json
import multiprocessing
from datetime import date, timedelta
from pathlib import Path

import pytest

from pokewatch.monitoring.history import History

DAY = date(2026, 1, 31)


def test_days_come_back_in_order_and_a_day_again_adds_nothing(tmp_path: Path) -> None:
    history = History(tmp_path)
    assert history.days() == {}
    assert history.append(DAY, {"figures": {"bias": 0.1}})
    assert history.append(DAY - timedelta(days=1), {"figures": {"bias": 0.2}})
    before = (tmp_path / "history.jsonl").read_bytes()
    assert not history.append(DAY, {"figures": {"bias": 0.1}})
    assert (tmp_path / "history.jsonl").read_bytes() == before
    assert [(day, entry["figures"]["bias"]) for day, entry in History(tmp_path).days().items()] == [
        (DAY - timedelta(days=1), 0.2),
        (DAY, 0.1),
    ]


def test_another_result_of_a_day_is_added_and_stands(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.append(DAY, {"version": "1"})
    before = (tmp_path / "history.jsonl").read_bytes()
    assert history.append(DAY, {"version": "2"})
    assert (tmp_path / "history.jsonl").read_bytes().startswith(before)
    assert history.days()[DAY]["version"] == "2"


def test_a_line_cut_short_loses_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    history = History(tmp_path)
    history.append(DAY, {"version": "1"})
    with (tmp_path / "history.jsonl").open("ab") as file:
        file.write(b'{"measured_on": "2026-02-01", "ver')
    assert history.append(DAY + timedelta(days=2), {"version": "3"})
    assert [entry["version"] for entry in history.days().values()] == ["1", "3"]
    assert "line 2 of the history of monitoring was cut short" in caplog.text


def _append(folder: Path, number: int) -> None:
    for day in range(20):
        History(folder).append(DAY + timedelta(days=day), {"by": number, "long": "x" * 5000})


def test_writers_at_the_same_time_do_not_mix_their_lines(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.starmap(_append, [(tmp_path, number) for number in range(3)])
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert len(lines) == 60
    assert len(History(tmp_path).days()) == 20


def test_the_latest_figures_are_replaced(tmp_path: Path) -> None:
    history = History(tmp_path)
    for bias in (0.1, 0.2):
        history.write_latest(DAY, {"bias": bias})
    assert json.loads((tmp_path / "latest.json").read_text()) == {"measured_on": "2026-01-31", "figures": {"bias": 0.2}}
    assert [path.name for path in tmp_path.iterdir()] == ["latest.json"]
