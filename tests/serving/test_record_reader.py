import csv
import io
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pokewatch.errors import TrackRecordError
from pokewatch.serving import record_reader
from pokewatch.serving.record_reader import RecordReader, restore_in_background
from pokewatch.valuation.track_record import DOCUMENT, TrackRecord, add_issues, write_record
from tests.serving.books import FACTS
from tests.valuation.test_track_record import forecasts

NAME = "=cmd|' /C calc'!A0, \"x\"\nü"


@pytest.fixture
def record(tmp_path: Path) -> TrackRecord:
    tables = [forecasts(date(2026, 1, day), 50, name=NAME) for day in (30, 31)]
    found = TrackRecord("simulated", "USD", files=add_issues(tmp_path, (), tables))
    write_record(tmp_path, found)
    return found


def test_the_record_is_read_again_when_it_changes(tmp_path: Path, record: TrackRecord) -> None:
    reader = RecordReader(tmp_path)
    assert reader.current() == record
    assert reader.current() is reader.current()
    write_record(tmp_path, replace(record, currency="EUR"))
    found = reader.current()
    assert found is not None
    assert found.currency == "EUR"
    (tmp_path / DOCUMENT).unlink()
    assert reader.current() is None


def test_an_unreadable_record_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / DOCUMENT).write_text("{}")
    reader = RecordReader(tmp_path)
    assert [reader.current(), reader.current()] == [None, None]
    assert len(caplog.records) == 1


def test_pieces_make_up_the_file(
    tmp_path: Path, record: TrackRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_reader, "PIECE_BYTES", 100)
    reader, (file,) = RecordReader(tmp_path), record.files
    pieces: list[bytes] = []
    while piece := reader.parquet(file.name, len(pieces)):
        pieces.append(piece)
    assert len(pieces) > 3
    assert b"".join(pieces) == (tmp_path / file.name).read_bytes()


def test_csv_has_the_rows_of_the_file_and_no_formula(tmp_path: Path, record: TrackRecord) -> None:
    reader, (file,) = RecordReader(tmp_path), record.files
    first = reader.csv(file.name, 0, header=True)
    second = reader.csv(file.name, 1, header=False)
    assert reader.csv(file.name, 2, header=False) == b""
    rows = list(csv.DictReader(io.StringIO((first + second).decode(), newline="")))
    stored = pq.read_table(tmp_path / file.name).to_pylist()
    assert len(rows) == len(stored) == 100
    for row, expected in zip(rows, stored, strict=True):
        assert row["name"] == f"'{NAME}"
        assert (row["issued_on"], row["card_id"]) == (
            str(expected["issued_on"]),
            expected["card_id"],
        )
        assert float(row["outcome"]) == expected["outcome"]


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "2026-01-0123456789abcdef.parquet", DOCUMENT, "", "x" * 500],
    ids=["path", "missing", "document", "empty", "long"],
)
def test_other_files_are_not_read(name: str, tmp_path: Path, record: TrackRecord) -> None:
    reader = RecordReader(tmp_path)
    with pytest.raises(TrackRecordError):
        reader.parquet(name, 0)
    with pytest.raises(TrackRecordError):
        reader.csv(name, 0, header=True)


def test_a_damaged_file_is_not_sent(tmp_path: Path, record: TrackRecord) -> None:
    reader, (file,) = RecordReader(tmp_path), record.files
    reader.parquet(file.name, 0)
    path = tmp_path / file.name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(TrackRecordError, match="is damaged"):
        reader.parquet(file.name, 0)


def test_without_a_remote_registry_nothing_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.Thread", None)  # would fail if called
    restore_in_background(FACTS, "")
