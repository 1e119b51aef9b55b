"""Files of data versions at a real remote, a folder and S3."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pokewatch.errors import VersionError
from pokewatch.market.latest_version import LatestVersions
from pokewatch.market.versions import DataVersions
from pokewatch.remote_files import open_remote
from pokewatch.retention.data_versions import YOUNG, is_owned, remove_unused_files
from pokewatch.retention.model_books import RegisteredBook
from pokewatch.settings import VersionSettings
from tests.s3 import reach

pytestmark = pytest.mark.filterwarnings(
    "ignore:_NoneStep.value will soon raise:DeprecationWarning",  # DVC's use of pygtrie
)

NOW = datetime.now(UTC)
LATER, LATEST = NOW + 2 * YOUNG, NOW + 4 * YOUNG


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.slow)])
def remote(
    request: pytest.FixtureRequest, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    if request.param == "folder":
        address = str(tmp_path / "remote")
    else:
        address = f"s3://data/{tmp_path.name}"
        reach(request.getfixturevalue("s3"), monkeypatch)
    monkeypatch.setenv("POKEWATCH_DVC_REMOTE", address)
    return address


def save(root: Path, name: str, *contents: str) -> str:
    folder = root / name
    folder.mkdir(parents=True)
    for number, content in enumerate(contents):
        (folder / f"{number}.txt").write_text(content)
    return DataVersions(root).save(folder)


def citing(**tags: str) -> RegisteredBook:
    return RegisteredBook("pokewatch", "1", "r", NOW, tags, False)


def removed(kept: Sequence[RegisteredBook], now: datetime, *, dry_run: bool = False) -> int:
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
        with pytest.raises(VersionError, match="not at"):
            DataVersions(tmp_path / "again").materialise(version, tmp_path / "again" / "none")


def test_what_is_young_or_referred_to_again_stays(remote: str, tmp_path: Path) -> None:
    version = save(tmp_path / "a", "panel", "panel")
    assert removed([], NOW) == removed([], LATER) == 0
    assert removed([citing(data_version=version)], LATEST) == 0
    assert removed([], LATEST + YOUNG / 2) == 0  # forgotten: it starts again
    assert removed([], LATEST + 2 * YOUNG) > 0


def test_the_lakes_of_all_sources_stay(remote: str, tmp_path: Path) -> None:
    for number, lake in enumerate(("tcgcsv", "simulated-100-0")):
        LatestVersions().publish(lake, save(tmp_path / lake, "raw", f"prices {number}"))
    assert removed([], LATER) == removed([], LATEST) == 0


def test_an_empty_remote_is_tidy(remote: str) -> None:
    assert removed([], LATEST) == 0


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
