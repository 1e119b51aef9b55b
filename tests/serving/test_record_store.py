"""Track records here and in the registry."""

import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from pokewatch.errors import TrackRecordError
from pokewatch.registry import Registry
from pokewatch.serving.record_store import RecordStore, record_folder
from pokewatch.valuation.track_record import (
    DOCUMENT,
    FORECAST_SCHEMA,
    TrackRecord,
    add_issues,
    open_month,
    read_record,
    write_record,
)
from tests.valuation.test_track_record import forecasts


def run_of(registry: Registry, folder: Path) -> str:
    (folder / "book").mkdir(exist_ok=True)
    (folder / "book" / "file").write_text("content")
    return registry.log_run(folder / "book", parameters={}, metrics={}, tags={})


def published(registry: Registry, folder: Path, days: int = 2) -> TrackRecord:
    """Publish a record that grows by a day at a time."""
    store, run_id = RecordStore(registry, "simulated", "simulated"), run_of(registry, folder)
    record = store.restore()
    for number in range(1, days + 1):
        files = add_issues(store.folder, record.files, [forecasts(date(2026, 1, number))])
        record = store.publish(replace(record, files=files), run_id)
    return record


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def test_a_fresh_machine_restores_the_record(registry_home: Path, tmp_path: Path) -> None:
    registry = Registry()
    record = published(registry, tmp_path)
    folder = record_folder("simulated")
    empty(folder)
    assert RecordStore(registry, "simulated", "simulated").restore() == record
    assert read_record(folder) == record
    assert open_month(folder, record.files[0]).read().schema.equals(FORECAST_SCHEMA)
    assert RecordStore(registry, "tcgcsv", "tcgcsv").restore() == TrackRecord("tcgcsv")


def test_another_market_of_the_source_has_a_record_of_its_own(
    registry_home: Path, tmp_path: Path
) -> None:
    registry = Registry()
    record = published(registry, tmp_path)
    other = RecordStore(registry, "simulated", "simulated-7")
    assert other.restore() == TrackRecord("simulated")
    other.publish(TrackRecord("simulated", "EUR"), run_of(registry, tmp_path))
    assert RecordStore(registry, "simulated", "simulated").restore() == record


def test_damaged_and_missing_copies_are_fetched_again(registry_home: Path, tmp_path: Path) -> None:
    registry = Registry()
    record = published(registry, tmp_path)
    folder = record_folder("simulated")
    for name in (DOCUMENT, record.files[0].name):
        (folder / name).write_bytes(b"damaged")
        assert RecordStore(registry, "simulated", "simulated").restore() == record
        open_month(folder, record.files[0])


def test_the_registry_decides(registry_home: Path, tmp_path: Path) -> None:
    registry = Registry()
    record = published(registry, tmp_path)
    write_record(record_folder("simulated"), TrackRecord("simulated", "EUR"))
    assert RecordStore(registry, "simulated", "simulated").restore() == record


def test_a_damaged_document_of_the_registry_is_refused(registry_home: Path, tmp_path: Path) -> None:
    registry = Registry()
    published(registry, tmp_path)
    empty(record_folder("simulated"))
    for path in registry_home.rglob("document-*.json"):
        path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(TrackRecordError, match="in the registry is damaged"):
        RecordStore(registry, "simulated", "simulated").restore()
    assert read_record(record_folder("simulated")) is None


def test_sources_have_folders_of_their_own() -> None:
    names = {record_folder(source).name for source in ("simulated", "../x", "a/b", "")}
    assert names == {"simulated", "___x", "a_b", "unknown"}


@pytest.mark.slow
def test_it_is_restored_by_a_process(registry_home: Path, tmp_path: Path) -> None:
    record = published(Registry(), tmp_path)
    folder = record_folder("simulated")
    empty(folder)
    command = [sys.executable, "-m", "pokewatch.serving.record_store", "simulated", "simulated"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert read_record(folder) == record
