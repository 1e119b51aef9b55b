"""Data versions against a real DVC: what comes back is what was kept, whole or not at all."""

import errno
import json
import os
import resource
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from pokewatch.errors import VersionError
from pokewatch.market.versions import DataVersions
from pokewatch.settings import VersionSettings


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    for day in (1, 2):
        part = folder / "raw" / f"date=2026-01-0{day}" / "part.parquet"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"day %d" % day)
    return folder


def test_a_version_comes_back_in_an_empty_folder_from_hash_and_remote_alone(
    root: Path, tmp_path: Path
) -> None:
    version = DataVersions(root).save(root / "raw")
    before = contents(root / "raw")
    shutil.rmtree(root)
    DataVersions(tmp_path / "elsewhere").materialise(version, tmp_path / "elsewhere" / "raw")
    assert contents(tmp_path / "elsewhere" / "raw") == before
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["raw"]


def test_the_paths_of_a_version_are_those_of_its_files(root: Path) -> None:
    version = DataVersions(root).save(root / "raw")
    assert {str(path) for path in DataVersions(root).paths(version)} == set(contents(root / "raw"))
    with pytest.raises(VersionError, match=f"the list of data version {'0' * 32} cannot be read"):
        DataVersions(root).paths("0" * 32)


def test_the_version_follows_the_content_and_nothing_else(root: Path, tmp_path: Path) -> None:
    versions = DataVersions(root)
    first = versions.save(root / "raw")
    assert versions.save(root / "raw") == first
    shutil.copytree(root / "raw", tmp_path / "copy" / "raw")
    assert DataVersions(tmp_path / "copy").save(tmp_path / "copy" / "raw") == first

    part = root / "raw" / "date=2026-01-02" / "part.parquet"
    part.unlink()
    part.write_bytes(b"day 2, corrected")
    second = versions.save(root / "raw")
    assert second != first
    versions.materialise(first, tmp_path / "first")
    assert (tmp_path / "first" / "date=2026-01-02" / "part.parquet").read_bytes() == b"day 2"


def test_a_full_disk_is_reported_and_the_next_save_succeeds(root: Path) -> None:
    largest, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 10, most))  # no database fits
    try:
        with pytest.raises(VersionError, match=r"raw cannot be saved to .*: \w"):
            DataVersions(root).save(root / "raw")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, most))
    before = contents(root / "raw")
    DataVersions(root).materialise(DataVersions(root).save(root / "raw"), root / "again")
    assert contents(root / "again") == before


def test_a_disk_that_is_full_from_the_start_keeps_no_unfinished_configuration(root: Path) -> None:
    largest, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    for _ in range(2):
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, most))
        try:
            with pytest.raises(VersionError, match="File too large"):
                DataVersions(root).save(root / "raw")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, most))
    assert [path.name for path in (root / ".dvc").iterdir() if "config" in path.name] == []
    DataVersions(root).save(root / "raw")


@pytest.mark.parametrize("left", ["", '{"write', "running"])
def test_the_locks_of_a_killed_save_stop_no_other(root: Path, left: str) -> None:
    version = DataVersions(root).save(root / "raw")
    if left == "running":  # the number of a killed process is another one's by now
        lock = {"write": {str(root / "raw"): {"pid": 1, "cmd": "dvc add"}}}
        left = json.dumps(lock)
    (root / ".dvc" / "tmp" / "rwlock").write_text(left)
    assert DataVersions(root).save(root / "raw") == version


@pytest.mark.parametrize("name", ["raw.dvc", ".dvc/site/**/cache.db"])
def test_what_a_save_left_damaged_stops_no_other(root: Path, name: str) -> None:
    version = DataVersions(root).save(root / "raw")
    damaged = list(root.glob(name))
    assert damaged
    for path in damaged:
        path.write_text("outs: [")
    assert DataVersions(root).save(root / "raw") == version


def test_an_unknown_version_leaves_nothing_behind(root: Path, tmp_path: Path) -> None:
    DataVersions(root).save(root / "raw")
    target = tmp_path / "target" / "raw"
    with pytest.raises(VersionError, match="0" * 32):
        DataVersions(tmp_path).materialise("0" * 32, target)
    assert list((tmp_path / "target").iterdir()) == []


def test_a_version_with_a_lost_file_is_refused_whole(root: Path, tmp_path: Path) -> None:
    version = DataVersions(root).save(root / "raw")
    lost = next(
        path
        for path in Path(VersionSettings.read().remote()).rglob("*")
        if path.is_file() and path.read_bytes() == b"day 1"
    )
    lost.unlink()
    with pytest.raises(VersionError, match=version):
        DataVersions(tmp_path / "elsewhere").materialise(version, tmp_path / "elsewhere" / "raw")
    assert not (tmp_path / "elsewhere" / "raw").exists()


@pytest.mark.parametrize(
    "version",
    ["", "abc", "../../etc/passwd", "A" * 32, "a" * 32 + "\n"],
    ids=["empty", "short", "path", "upper", "line"],
)
def test_a_malformed_version_is_named(version: str, tmp_path: Path) -> None:
    with pytest.raises(VersionError, match="content hash"):
        DataVersions(tmp_path).materialise(version, tmp_path / "raw")


def test_materialising_over_files_is_refused(root: Path) -> None:
    version = DataVersions(root).save(root / "raw")
    with pytest.raises(VersionError, match="not empty"):
        DataVersions(root).materialise(version, root / "raw")


def test_an_empty_folder_is_no_version(tmp_path: Path) -> None:
    with pytest.raises(VersionError, match="has no files to save"):
        DataVersions(tmp_path).save(tmp_path)


def test_a_remote_that_cannot_be_written_is_reported(root: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(VersionError, match="cannot be saved"):
        DataVersions(root, VersionSettings(dvc_remote=str(blocked))).save(root / "raw")


def test_a_checkout_is_made_once_and_pruned_by_age(root: Path, home: Path) -> None:
    versions = DataVersions(root)
    kept = []
    for content in (b"one", b"two", b"three"):
        (root / "raw" / "file").unlink(missing_ok=True)
        (root / "raw" / "file").write_bytes(content)
        kept.append(versions.save(root / "raw"))
    folders = [versions.checkout(version) for version in kept]
    for age, folder in enumerate(reversed(folders)):
        os.utime(folder, (1e9 - age, 1e9 - age))
    assert versions.checkout(kept[0]) == folders[0]
    assert (folders[0] / "file").read_bytes() == b"one"
    versions.prune(keep=2, in_use=timedelta(hours=4))
    assert [folder.exists() for folder in folders] == [True, False, True]
    left = [kept[0], kept[2], f".sizes-{kept[0]}", f".sizes-{kept[2]}"]
    assert sorted(path.name for path in (home / "versions").iterdir()) == sorted(left)
    versions.prune(keep=0, in_use=timedelta(hours=4))
    assert [folder.exists() for folder in folders] == [True, False, False], "it may be being read"


def stored(home: Path, content: bytes) -> Path:
    """Return the file of the default remote that holds `content`."""
    found = [path for path in (home / "dvc-remote" / "files").rglob("*") if path.is_file()]
    (path,) = (path for path in found if path.read_bytes() == content)
    return path


def cut(path: Path, content: bytes = b"") -> None:
    path.chmod(0o600)
    path.write_bytes(content)
    path.chmod(0o444)


@pytest.mark.parametrize("content", [b"", b"DAY 2"], ids=["cut", "changed"])
def test_a_version_that_is_damaged_at_the_remote_is_refused(
    root: Path, home: Path, content: bytes, tmp_path: Path
) -> None:
    version = DataVersions(root).save(root / "raw")
    cut(stored(home, b"day 2"), content)
    with pytest.raises(
        VersionError, match=f"data version {version} .*; it is not there, or damaged"
    ):
        DataVersions(tmp_path / "elsewhere").materialise(version, tmp_path / "elsewhere" / "raw")
    assert not (tmp_path / "elsewhere" / "raw").exists()


def test_a_full_disk_of_this_machine_is_no_damage_of_the_remote(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pull(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    version = DataVersions(root).save(root / "raw")
    monkeypatch.setattr("dvc.repo.Repo.pull", pull)
    with pytest.raises(VersionError, match=r"database or disk is full; free some space$"):
        DataVersions(tmp_path / "elsewhere").materialise(version, tmp_path / "elsewhere" / "raw")


@pytest.mark.parametrize("damaged", [("file",), ("list",), ("file", "list"), ("lost",)])
@pytest.mark.parametrize("more", [False, True], ids=["same", "next day"])
def test_files_damaged_at_the_remote_are_written_again(
    root: Path, home: Path, damaged: tuple[str, ...], more: bool, tmp_path: Path
) -> None:
    version = DataVersions(root).save(root / "raw")
    if "file" in damaged:
        cut(stored(home, b"day 2"))
    if "lost" in damaged:
        stored(home, b"day 2").unlink()
    if "list" in damaged:
        (entries,) = (home / "dvc-remote" / "files").rglob("*.dir")
        cut(entries, b'[{"md5')
    with pytest.raises(VersionError, match=version):
        DataVersions(tmp_path / "elsewhere").materialise(version, tmp_path / "elsewhere" / "raw")
    if more:
        (root / "raw" / "day 3").write_bytes(b"day 3")
    again = DataVersions(root).save(root / "raw")
    assert (again == version) is not more
    DataVersions(tmp_path / "elsewhere").materialise(again, tmp_path / "elsewhere" / "raw")
    assert contents(tmp_path / "elsewhere" / "raw") == contents(root / "raw")


@pytest.mark.parametrize("damage", ["cut", "lost", "record"])
def test_a_damaged_checkout_is_made_again(root: Path, home: Path, damage: str) -> None:
    versions = DataVersions(root)
    folder = versions.checkout(versions.save(root / "raw"))
    whole = contents(folder)
    part = folder / "date=2026-01-02" / "part.parquet"
    if damage == "cut":
        cut(part)
    elif damage == "lost":
        part.unlink()
    else:
        cut(folder.with_name(f".sizes-{folder.name}"), b'{"date')
    assert contents(versions.checkout(folder.name)) == whole


def test_a_checkout_on_a_read_only_disk_is_read(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = DataVersions(root)
    folder = versions.checkout(versions.save(root / "raw"))

    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "utime", read_only)
    assert versions.checkout(folder.name) == folder
