"""The files of exports: made once, replaced never, and removed when they take too much space."""

import asyncio
import os
import threading
from pathlib import Path

import pytest
from mlserver.errors import MLServerError

from pokewatch.serving import exports
from pokewatch.serving.exports import ExportFile, ExportFiles
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.record_reader import RecordReader
from pokewatch.valuation.book import PriceBook
from tests.serving.books import make_book

ALL = ".."


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedBook:
    book = PriceBook.open(tmp_path / "book", make_book(tmp_path / "book"))
    return LoadedBook(book, "7", "dv-1", "run-1", RecordReader(tmp_path / "record"))


def find(loaded: LoadedBook, history: str = "", count: int = 1) -> list[ExportFile]:
    async def run() -> list[ExportFile]:
        files = ExportFiles()
        return await asyncio.gather(*(files.find(loaded, "csv", history) for _ in range(count)))

    return asyncio.run(run())


def folder_of(home: Path) -> Path:
    return home / "exports" / "served"


def test_a_file_is_made_once(
    loaded: LoadedBook, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    write = exports._write

    def counted(*arguments: object) -> ExportFile:
        made.append("once")
        return write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(exports, "_write", counted)
    found = find(loaded, count=5)
    assert len(set(found)) == len(made) == 1
    assert find(loaded) == found[:1]
    assert made == ["once"]
    assert list(folder_of(home).iterdir()) == [found[0].path]
    assert folder_of(home).stat().st_mode & 0o077 == 0


def test_another_book_version_range_or_format_is_another_file(
    loaded: LoadedBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = PriceBook.open(tmp_path / "other", make_book(tmp_path / "other", scale=2.0))
    found = {find(loaded)[0], find(loaded, ALL)[0]}
    found.add(find(LoadedBook(other, "7", "dv-1", "run-1", loaded.record))[0])
    found.add(find(LoadedBook(loaded.book, "8", "dv-1", "run-1", loaded.record))[0])
    monkeypatch.setenv("POKEWATCH_BUY_THRESHOLD_PCT", "-0.3")
    found.add(find(loaded)[0])
    assert len({each.path for each in found}) == 5


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ("2026-01", "'2026-01' is not a range of days"),
        ("2026-01-04..2026-01-02", "the first day, 2026-01-04, is after the last"),
        ("2027-01-01..", "the book runs from 2026-01-01 to 2026-01-05"),
    ],
)
def test_days_that_the_book_does_not_have(loaded: LoadedBook, history: str, message: str) -> None:
    with pytest.raises(MLServerError, match=message) as raised:
        find(loaded, history)
    assert raised.value.status_code == 409


def test_more_rows_than_allowed_are_refused_but_never_one_day(
    loaded: LoadedBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_EXPORT_ROWS", "80")
    with pytest.raises(MLServerError, match=r"are 200 rows.* at most 80: request up to 2 days"):
        find(loaded, ALL)
    find(loaded, "2026-01-02..2026-01-03")
    monkeypatch.setenv("POKEWATCH_EXPORT_ROWS", "1")
    find(loaded)


def test_a_file_that_takes_long_is_announced_and_made_all_the_same(
    loaded: LoadedBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    write = exports._write

    def slow(*arguments: object) -> ExportFile:
        assert release.wait(20)
        return write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(exports, "_write", slow)
    monkeypatch.setattr(exports, "WAIT_SECONDS", 0.05)

    async def run() -> ExportFile:
        files = ExportFiles()
        for history in ("", "..2026-01-01", "..2026-01-02", "..2026-01-03"):
            with pytest.raises(MLServerError, match=r"the export is being prepared$") as raised:
                await files.find(loaded, "csv", history)
            assert raised.value.status_code == 503
        with pytest.raises(MLServerError, match="the export is being prepared, after others"):
            await files.find(loaded, "csv", "..2026-01-04")
        release.set()
        monkeypatch.setattr(exports, "WAIT_SECONDS", 20.0)
        return await files.find(loaded, "csv", "")

    assert asyncio.run(run()).path.exists()


def test_a_full_disk_is_said_and_leaves_nothing(
    loaded: LoadedBook, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(MLServerError, match="cannot be written: No space left") as raised:
            find(loaded)
    assert raised.value.status_code == 503
    assert list(folder_of(home).iterdir()) == []
    assert find(loaded)[0].path.exists()


def test_the_files_used_least_recently_are_removed(
    loaded: LoadedBook, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = [find(loaded, f"2026-01-0{day}..")[0].path for day in (1, 2, 3)]
    for number, path in enumerate(old):
        os.truncate(path, 1_048_576)
        os.utime(path, (number, number))
    find(loaded, "2026-01-01..")  # used again
    monkeypatch.setenv("POKEWATCH_EXPORT_MB", "1")
    find(loaded)
    assert [path.exists() for path in old] == [True, False, True]
