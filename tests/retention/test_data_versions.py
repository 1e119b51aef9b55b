"""Files of data versions at a real remote, a folder and S3."""

import json
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

import pytest
from fsspec.implementations.local import LocalFileSystem

from pokewatch.errors import VersionError
from pokewatch.market.latest_version import LatestVersions
from pokewatch.market.versions import DataVersions
from pokewatch.registry_database import ListedVersion
from pokewatch.remote_files import open_remote
from pokewatch.retention.data_versions import YOUNG, is_owned, remove_unused_files
from pokewatch.settings import VersionSettings

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC)
LATER, LATEST = NOW + 2 * YOUNG, NOW + 4 * YOUNG


def save(root: Path, name: str, *contents: str) -> str:
    folder = root / name
    folder.mkdir(parents=True)
    for number, content in enumerate(contents):
        (folder / f"{number}.txt").write_text(content)
    return DataVersions(root).save(folder)


def citing(**tags: str) -> ListedVersion:
    return ListedVersion("1", "r", tags, "pokewatch", NOW, aliased=False)


def removed(kept: Sequence[ListedVersion], now: datetime, *, dry_run: bool = False) -> int:
    return sum(size for _, size in remove_unused_files(kept, now, dry_run=dry_run))


def test_only_what_a_kept_version_refers_to_stays(remote: str, tmp_path: Path) -> None:
    raw = save(tmp_path / "a", "raw", "every day", "shared")
    panel = save(tmp_path / "b", "panel", "panel", "shared")
    shard = save(tmp_path / "c", "shard", "shard", "shared")
    old = save(tmp_path / "d", "old", "old panel")
    LatestVersions().publish("tcgcsv", raw)
    kept = [citing(data_version=panel, raw_version=raw)]

    assert removed(kept, LATER) == 0  # seen without a reference for the first time
    assert removed(kept, LATEST, dry_run=True) > 0
    assert removed(kept, LATEST) > 0
    assert removed(kept, LATEST) == 0
    for number, version in enumerate((raw, panel)):
        DataVersions(tmp_path / "again").materialise(version, tmp_path / "again" / str(number))
    assert (tmp_path / "again" / "1" / "1.txt").read_text() == "shared"
    for version in (shard, old):
        with pytest.raises(VersionError, match="it is not there, or damaged"):
            DataVersions(tmp_path / "again").materialise(version, tmp_path / "again" / "none")


def test_what_is_young_or_referred_to_again_stays(remote: str, tmp_path: Path) -> None:
    version = save(tmp_path / "a", "panel", "panel")
    assert removed([], NOW) == removed([], LATER) == 0
    assert removed([citing(data_version=version)], LATEST) == 0
    assert removed([], LATEST + YOUNG / 2) == 0  # forgotten: it starts again
    assert removed([], LATEST + 2 * YOUNG) > 0


@pytest.fixture
def unreferenced(home: Path, tmp_path: Path) -> str:
    """A version saved ten days ago, which the next call may remove."""
    version = save(tmp_path / "first", "panel", "one", "two", "three")
    remote = Path(VersionSettings.read().remote())
    for path in remote.rglob("*"):
        os.utime(path, ((NOW - 5 * YOUNG).timestamp(),) * 2)
    assert removed([], NOW - 2 * YOUNG) == 0
    assert removed([], NOW, dry_run=True) > 0
    return version


def test_a_version_that_a_rerun_saved_again_stays(unreferenced: str, tmp_path: Path) -> None:
    save(tmp_path / "rerun", "panel", "one", "two", "three")  # DVC finds all files and writes none
    assert removed([], NOW) == removed([], NOW + YOUNG / 2) == 0
    DataVersions(tmp_path / "again").materialise(unreferenced, tmp_path / "again" / "panel")
    assert removed([], NOW + 3 * YOUNG) == 0  # the run has ended and cites nothing
    assert removed([], NOW + 4 * YOUNG) > 0


def test_files_of_another_version_saved_lately_stay(unreferenced: str, tmp_path: Path) -> None:
    other = save(tmp_path / "rerun", "panel", "one", "two", "another")
    assert removed([], NOW) > 0
    DataVersions(tmp_path / "again").materialise(other, tmp_path / "again" / "panel")


def test_a_version_saved_while_files_are_removed_is_complete(
    unreferenced: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves: list[Future[str]] = []

    def remove_slowly(_: LocalFileSystem, path: str) -> None:
        if not saves:
            saves.append(pool.submit(save, tmp_path / "rerun", "panel", "one", "two", "three"))
            sleep(0.5)  # the save looks up the files meanwhile, if nothing stops it
        Path(path).unlink()

    with ThreadPoolExecutor(1) as pool, monkeypatch.context() as patch:
        patch.setattr(LocalFileSystem, "rm_file", remove_slowly)
        assert removed([], NOW) > 0
        assert saves[0].result(timeout=60) == unreferenced
    DataVersions(tmp_path / "again").materialise(unreferenced, tmp_path / "again" / "panel")


def test_the_lakes_of_all_sources_stay(remote: str, tmp_path: Path) -> None:
    for number, lake in enumerate(("tcgcsv", "simulated-100-0")):
        LatestVersions().publish(lake, save(tmp_path / lake, "raw", f"prices {number}"))
    assert removed([], LATER) == removed([], LATEST) == 0


def test_an_empty_remote_is_tidy(remote: str) -> None:
    assert removed([], LATEST) == 0


def test_a_remote_with_nothing_to_remove_is_not_written(remote: str, tmp_path: Path) -> None:
    LatestVersions().publish("tcgcsv", save(tmp_path / "lake", "raw", "prices"))
    assert removed([], NOW) == 0
    files, root = open_remote(remote, VersionSettings.read())
    assert not files.exists(f"{root}/unreferenced.json")


def test_a_damaged_list_removes_nothing(tmp_path: Path, home: Path) -> None:
    version = save(home / "a", "panel", "panel")
    save(home / "b", "other", "other")
    removed([], LATER)
    settings = VersionSettings.read()
    files, root = open_remote(settings.remote(), settings)
    listing = f"{root}/files/md5/{version[:2]}/{version[2:]}.dir"
    files.chmod(listing, 0o644) if hasattr(files, "chmod") else Path(listing).chmod(0o644)
    files.pipe_file(listing, b"[{")
    before = len(files.find(root))
    with pytest.raises(VersionError, match="cannot be tidied"):
        removed([citing(data_version=version)], LATEST)
    assert len(files.find(root)) == before


def test_only_an_owned_remote_is_tidied(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_owned(VersionSettings.read())
    monkeypatch.setenv("POKEWATCH_DVC_REMOTE", "s3://shared/data")
    assert not is_owned(VersionSettings.read())
    monkeypatch.setenv("POKEWATCH_DVC_REMOTE_OWNED", "true")
    assert is_owned(VersionSettings.read())


@pytest.mark.usefixtures("unreferenced")
def test_a_clock_that_was_wrong_keeps_files_for_two_days_only(home: Path) -> None:
    record = home / "dvc-remote" / "unreferenced.json"
    names = json.loads(record.read_text())
    record.write_text(json.dumps(dict.fromkeys(names, (NOW + 1_000 * YOUNG).isoformat())))
    assert removed([], LATER) == 0
    assert removed([], LATEST) > 0


def test_a_damaged_record_of_what_is_unreferenced_keeps_files_longer(
    unreferenced: str, home: Path
) -> None:
    (home / "dvc-remote" / "unreferenced.json").write_text("")
    assert removed([], NOW) == 0
    assert removed([], NOW + YOUNG) > 0


@pytest.mark.parametrize("damaged", ["list", "record"])
def test_nothing_is_removed_by_damaged_lists_and_they_are_named(
    unreferenced: str, home: Path, damaged: str
) -> None:
    stored = home / "dvc-remote"
    lists = list((stored / "files").rglob("*.dir"))
    path = lists[0] if damaged == "list" else stored / "saves" / unreferenced
    path.unlink(missing_ok=True)
    path.write_text('["')
    os.utime(path, (NOW.timestamp(),) * 2)
    with pytest.raises(VersionError, match=f"{path} is damaged"):
        removed([citing(data_version=unreferenced)] if damaged == "list" else [], NOW)
    assert list((stored / "files").rglob("*.dir")) == lists
