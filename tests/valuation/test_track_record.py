import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from pokewatch.errors import TrackRecordError
from pokewatch.valuation.track_record import (
    FORECAST_SCHEMA,
    Issue,
    MonthFile,
    TrackRecord,
    add_issues,
    open_month,
    read_record,
    write_record,
)


def forecasts(issued_on: date, count: int = 3, **given: object) -> pa.Table:
    """Return forecasts of cards that cost 10 and are worth 11; the outcome is 10.5."""
    row = {
        "issued_on": issued_on,
        "due_on": issued_on + timedelta(days=7),
        "horizon": 7,
        "model_version": "1",
        "model": "local_level",
        "source": "simulated",
        "currency": "USD",
        "set_name": "Set",
        "last_price": 10.0,
        "fair_price": 11.0,
        "lower": 9.0,
        "upper": 12.0,
        "median7": 10.0,
        "status": "ok",
        "liquidity": "slow",
        "signal": "HOLD",
        "confidence": 0.8,
        "buy_threshold_pct": -0.1,
        "sell_threshold_pct": 0.15,
        "outcome": 10.5,
        "renewed": True,
    }
    names = [
        {"card_id": f"c{number}", "slug": f"card_{number}", "name": f"Card {number}"}
        for number in range(count)
    ]
    return pa.Table.from_pylist([{**row, **name, **given} for name in names], FORECAST_SCHEMA)


def test_issues_are_added_to_the_file_of_their_month(tmp_path: Path) -> None:
    first = add_issues(tmp_path, (), [forecasts(date(2026, 1, 30))])
    files = add_issues(
        tmp_path, first, [forecasts(date(2026, 1, 31)), forecasts(date(2026, 2, 1), 2)]
    )
    assert [(each.month, each.rows, each.issues) for each in files] == [
        ("2026-01", 6, 2),
        ("2026-02", 2, 1),
    ]
    opened = open_month(tmp_path, files[0])
    assert opened.read_row_group(0).equals(forecasts(date(2026, 1, 30)))
    assert opened.read_row_group(1).equals(forecasts(date(2026, 1, 31)))
    assert add_issues(tmp_path, files, []) == files
    assert add_issues(tmp_path, files, [FORECAST_SCHEMA.empty_table()]) == files


def test_equal_forecasts_are_equal_files(tmp_path: Path) -> None:
    days = [date(2026, 1, 30), date(2026, 1, 31)]
    together = add_issues(tmp_path / "a", (), [forecasts(day) for day in days])
    one = add_issues(tmp_path / "b", (), [forecasts(days[0])])
    assert add_issues(tmp_path / "b", one, [forecasts(days[1])]) == together


def test_a_damaged_file_is_not_added_to(tmp_path: Path) -> None:
    (file,) = add_issues(tmp_path, (), [forecasts(date(2026, 1, 30))])
    (tmp_path / file.name).write_bytes((tmp_path / file.name).read_bytes()[:-1] + b"x")
    with pytest.raises(TrackRecordError, match="is damaged"):
        add_issues(tmp_path, (file,), [forecasts(date(2026, 1, 31))])
    (tmp_path / file.name).unlink()
    with pytest.raises(TrackRecordError, match="cannot be read"):
        add_issues(tmp_path, (file,), [forecasts(date(2026, 1, 31))])


def test_the_document_is_read_as_it_was_written(tmp_path: Path) -> None:
    issue = Issue("1", "boosted", "d", date(2026, 1, 30), date(2026, 2, 6), 7, 3, 1)
    file = MonthFile("2026-01", "2026-01-abc.parquet", "abc", 10, 3, 1, "run")
    record = TrackRecord(
        "simulated", "USD", date(2026, 2, 1), 2, (issue,), (file,), {"horizons": []}
    )
    assert read_record(tmp_path) is None
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    assert not any(path.name.startswith(".") for path in tmp_path.iterdir())


def test_files_of_the_document_before_stay_for_downloads(tmp_path: Path) -> None:
    record, names = TrackRecord("simulated"), []
    for number in range(1, 4):
        files = add_issues(tmp_path, record.files, [forecasts(date(2026, 1, number))])
        record = replace(record, files=files)
        write_record(tmp_path, record)
        names.append(files[0].name)
    assert {path.name for path in tmp_path.glob("*.parquet")} == set(names[1:])


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "not the document"),
        (b"[]", "not the document"),
        (b'{"format": "x", "version": 1}', "format"),
        (json.dumps({"format": "pokewatch-track-record", "version": 2}).encode(), "format 2"),
        (json.dumps({"format": "pokewatch-track-record", "version": 1}).encode(), "KeyError"),
    ],
)
def test_other_documents_are_refused(content: bytes, cause: str, tmp_path: Path) -> None:
    (tmp_path / "track-record.json").write_bytes(content)
    with pytest.raises(TrackRecordError, match=cause):
        read_record(tmp_path)
