"""Small files, in a folder and on S3."""

import errno
import os
from pathlib import Path

import pytest

from pokewatch.remote_files import open_remote, write_atomically
from pokewatch.settings import VersionSettings
from tests.s3 import reach


@pytest.fixture(params=["folder", "s3"])
def address(
    request: pytest.FixtureRequest, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    if request.param == "folder":
        return str(tmp_path / "remote")
    reach(request.getfixturevalue("s3"), monkeypatch)
    return f"s3://data/{tmp_path.name}"


def test_the_last_write_is_read(address: str) -> None:
    files, root = open_remote(address, VersionSettings.read())
    for text in ("first", "s\N{LATIN SMALL LETTER E WITH ACUTE}cond"):
        write_atomically(files, f"{root}/heads/cards", text)
    again, path = open_remote(address, VersionSettings.read())
    assert again.cat_file(f"{path}/heads/cards").decode() == text
    assert [name.rpartition("/")[2] for name in again.find(path)] == ["cards"]


def test_a_full_disk_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, root = open_remote(str(tmp_path), VersionSettings.read())
    write_atomically(files, f"{root}/heads/cards", "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(files, f"{root}/heads/cards", "new")
    assert {path.name: path.read_text() for path in (tmp_path / "heads").iterdir()} == {
        "cards": "old"
    }
