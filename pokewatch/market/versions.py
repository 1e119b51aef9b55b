"""Data versions: folders stored under their content hash with DVC.

A version is the hash of a whole folder. The hash and the remote are enough to materialise that
folder in any process or pod; git is not needed. Files are hard links into DVC's cache where the
file system supports them, so that a version takes no extra space; they are replaced by renaming
and never written in place.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from pokewatch.atomic_file import atomic_file
from pokewatch.errors import VersionError, storage_remedy
from pokewatch.market.recent_saves import LIST, RecentSaves
from pokewatch.remote_files import open_remote, read_json, remote_errors
from pokewatch.settings import Home, VersionSettings

_VERSION = re.compile(r"[0-9a-f]{32}")


def is_version(text: str) -> bool:
    """Return whether a text has the form of a version: 32 hexadecimal digits."""
    return _VERSION.fullmatch(text) is not None


class DataVersions:
    """Versions of folders below `root`, pushed to `settings.remote()`, a folder or an s3:// URL."""

    def __init__(self, root: Path, settings: VersionSettings | None = None) -> None:
        self.root = root
        self._settings = settings or VersionSettings.read()

    def save(self, folder: Path) -> str:
        """Add `folder`, which must be below the root, push it and return its content hash.

        No other process may save below this root meanwhile. Raise VersionError if the folder is
        empty or the remote cannot be written.
        """
        if not any(path.is_file() for path in folder.rglob("*")):
            raise VersionError(f"{folder} has no files to save as a version")
        _forget_former(self.root, folder)
        with _reported(f"{folder} cannot be saved to {self._settings.remote()}"):
            try:
                return self._saved(folder)
            except sqlite3.OperationalError:  # such as a full disk
                raise
            except sqlite3.DatabaseError:  # the cache of file hashes is damaged
                shutil.rmtree(self.root / ".dvc" / "site", ignore_errors=True)
                return self._saved(folder)

    def _saved(self, folder: Path) -> str:
        with _repository(self.root, self._settings) as repository:
            (stage,) = repository.add(str(folder))
            (saved,) = stage.outs
            version = str(saved.hash_info.value).removesuffix(LIST)
            entries = saved.get_obj().as_list()
            RecentSaves(self._settings).record(version, [str(entry["md5"]) for entry in entries])
            if self._remove_damaged(version, entries, folder):
                _forget_pushed(repository)
            repository.push(targets=[stage.path])
            return version

    def _remove_damaged(
        self, version: str, entries: Sequence[Mapping[str, str]], folder: Path
    ) -> bool:
        """Remove what a power failure left of these files at the remote, if it is a folder.

        DVC assumes that a file there is complete, and that all files of a version are present if
        its list is: it would not write them again. Return whether one is absent.
        """
        if "://" in self._settings.remote():
            return False
        stored = Path(self._settings.remote()).expanduser() / "files" / "md5"
        listed = stored / version[:2] / f"{version[2:]}{LIST}"
        # Of a save in progress elsewhere it is the last file: then it is not there yet.
        content = listed.read_bytes() if listed.exists() else None
        absent = False
        for entry in entries:
            path = stored / entry["md5"][:2] / entry["md5"][2:]
            if path.exists() and path.stat().st_size != (folder / entry["relpath"]).stat().st_size:
                path.unlink(missing_ok=True)
            absent = absent or not path.exists()
        if content is not None:
            found = hashlib.md5(content, usedforsecurity=False).hexdigest()
            if absent or found != version:
                listed.unlink(missing_ok=True)
        return absent

    def materialise(self, version: str, folder: Path) -> None:
        """Put the files of `version`, all or none, into `folder`, which must be empty or absent.

        Raise VersionError for a malformed version, or one that is not at the remote or damaged.
        """
        if not is_version(version):
            raise VersionError(
                f"data version {version!r} is not a content hash (32 hexadecimal digits)"
            )
        if folder.exists() and any(folder.iterdir()):
            raise VersionError(f"{folder} is not empty")
        folder.parent.mkdir(parents=True, exist_ok=True)
        remote = self._settings.remote()
        with tempfile.TemporaryDirectory(prefix=".version-", dir=folder.parent) as scratch:
            pointer = Path(scratch) / "data.dvc"
            pointer.write_text(f"outs:\n- md5: {version}.dir\n  hash: md5\n  path: data\n")
            with (
                _reported(
                    f"data version {version} cannot be fetched from {remote}",
                    "; it is not there, or damaged",
                ),
                _repository(Path(scratch), self._settings) as repository,
            ):
                repository.pull(targets=[str(pointer)])
            (Path(scratch) / "data").replace(folder)

    def paths(self, version: str) -> set[Path]:
        """Return the paths of the files of `version` in its folder, without fetching the files.

        Raise VersionError.
        """
        remote = self._settings.remote()
        with _reported(f"the list of data version {version} cannot be read from {remote}"):
            files, root = open_remote(remote, self._settings)
            entries = read_json(files, f"{root}/files/md5/{version[:2]}/{version[2:]}{LIST}")
        return {Path(entry["relpath"]) for entry in entries}

    def checkout(self, version: str) -> Path:
        """Return a read-only folder with the files of `version`, shared by all processes here.

        It is made again if a file has another size than it had, as after a power failure.
        """
        folder = Home.read().versions / version
        if _is_whole(folder):
            with contextlib.suppress(OSError):  # not ours, or on a read-only disk
                os.utime(folder)
            return folder
        with tempfile.TemporaryDirectory(prefix=".checkout-", dir=_made(folder.parent)) as scratch:
            made = Path(scratch) / version
            self.materialise(version, made)
            with atomic_file(_record_of(folder)) as record:
                record.write(json.dumps(_sizes(made)).encode())
            if folder.exists() and not _is_whole(folder):
                folder.replace(Path(scratch) / "former")
            with contextlib.suppress(OSError):  # another process was faster
                made.replace(folder)
        return folder

    def prune(self, keep: int, in_use: timedelta) -> None:
        """Remove all but the `keep` versions last checked out; the remote still has them.

        Those checked out within `in_use` stay: runs of other markets may be reading them.
        """
        used: dict[Path, float] = {}
        for found in Home.read().versions.glob("*"):
            with contextlib.suppress(FileNotFoundError):  # another process has just removed it
                used[found] = found.stat().st_mtime
        before = time.time() - in_use.total_seconds()
        versions = [each for each in used if is_version(each.name)]
        versions.sort(key=used.__getitem__, reverse=True)
        for folder in versions[keep:]:
            if used[folder] < before:
                shutil.rmtree(folder, ignore_errors=True)
                _record_of(folder).unlink(missing_ok=True)


def _forget_pushed(repository: Any) -> None:
    """Have DVC look for each file at the remote, not only for those that it has not pushed yet."""
    from dvc_data.hashfile.db import get_index

    get_index(repository.cloud.get_remote_odb()).clear()


def _forget_former(root: Path, folder: Path) -> None:
    """Remove the lock list and the pointer file that an earlier save of `folder` left.

    DVC writes them in place, so that a full disk or a kill leaves them unreadable; and the list of
    locks names processes by ids that others have after a restart.
    """
    for left in (root / ".dvc" / "tmp" / "rwlock", folder.with_name(f"{folder.name}.dvc")):
        with _reported(f"{folder} cannot be saved"):
            left.unlink(missing_ok=True)


def _record_of(folder: Path) -> Path:
    """Return the file with the sizes of the files of a checked-out version."""
    return folder.with_name(f".sizes-{folder.name}")


def _sizes(folder: Path) -> dict[str, int]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_size for path in files}


def _is_whole(folder: Path) -> bool:
    try:
        return bool(json.loads(_record_of(folder).read_bytes()) == _sizes(folder))
    except (OSError, ValueError):
        return False


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _repository(root: Path, settings: VersionSettings) -> Iterator[Any]:
    """Open the DVC repository of `root`, without git, created or reconfigured as needed."""
    from dvc.repo import Repo  # takes most of a second to import

    folder = root / ".dvc"
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / "config", mode=0o600) as written:  # never read half-written
        written.write(_configuration(folder, settings).encode())
    with (
        _site_cache(folder) as site,
        Repo(str(root), config={"core": {"site_cache_dir": str(site)}}) as repository,
    ):
        yield repository


@contextmanager
def _site_cache(folder: Path) -> Iterator[Path]:
    """Yield the folder of DVC's cache of file hashes: beside its configuration, unless the path
    has a `$`, which diskcache expands as a variable."""
    if "$" not in str(folder):
        yield folder / "site"
        return
    with tempfile.TemporaryDirectory(prefix="pokewatch-") as scratch:
        yield Path(scratch)


def _configuration(folder: Path, settings: VersionSettings) -> str:
    remote = settings.remote()
    url = remote if "://" in remote else _relative(Path(remote).expanduser(), folder)
    endpoint = (
        f"    endpointurl = {settings.dvc_endpoint_url}\n" if settings.dvc_endpoint_url else ""
    )
    return (
        "[core]\n    no_scm = True\n    analytics = False\n    check_update = False\n"
        "    remote = store\n[cache]\n    type = hardlink,copy\n"
        f"['remote \"store\"']\n    url = {_quoted(url)}\n    verify = true\n{endpoint}"
    )


def _relative(path: Path, folder: Path) -> str:
    """Return `path` relative to `folder`, so that the name of the home is not part of it: DVC reads
    `#` in its configuration as a comment and `$` as a variable."""
    return os.path.relpath(os.path.realpath(path), os.path.realpath(folder))


def _quoted(value: str) -> str:
    return f"'{value}'" if '"' in value else f'"{value}"'


@contextmanager
def _reported(what: str, presumed: str = "") -> Iterator[None]:
    """Raise failures of DVC, its file systems and its SQLite databases as VersionError.

    `presumed` ends the message unless the cause is known to be on this machine, as a full disk is.
    """
    from dvc.exceptions import DvcException
    from dvc_objects.errors import ObjectFormatError

    try:
        yield
    except remote_errors(DvcException, ObjectFormatError, ValueError, sqlite3.Error) as error:
        cause = " ".join(str(error).split())
        raise VersionError(f"{what}: {cause}{storage_remedy(cause) or presumed}") from error
