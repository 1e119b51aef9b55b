"""The data versions saved lately, recorded at the remote so that `tidy` keeps their files.

DVC does not write a file again that is already at the remote, so the age of a file does not tell
whether a run counts on it. A save is recorded before its files are looked up, and a removal is
announced before the records are read: whichever comes second sees the other. A removal keeps what
a record lists, and a save waits until the removals in progress have ended.

    <remote>/saves/<version>     the hashes of the version's files, JSON
    <remote>/removals/<name>     a removal in progress
"""

import json
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime

from pokewatch.remote_files import list_folder, open_remote, read_json, write_atomically
from pokewatch.removals import Removals
from pokewatch.settings import VersionSettings

LIST = ".dir"  # suffix of the hash of a version's list of files


class RecentSaves:
    """The recorded saves at a remote, and the removals in progress. Methods raise OSError."""

    def __init__(self, settings: VersionSettings) -> None:
        self._files, root = open_remote(settings.remote(), settings)
        self._saves = f"{root}/saves"
        self._removals = Removals(self._files, f"{root}/removals")

    def record(self, version: str, hashes: Collection[str]) -> None:
        """Record a version about to be saved, then wait until no removal is in progress."""
        text = json.dumps(sorted({f"{version}{LIST}", *hashes}))
        write_atomically(self._files, f"{self._saves}/{version}", text)
        self._removals.wait()

    def recorded(self, since: datetime) -> set[str]:
        """Return the names of the files of the versions saved since then, and of their lists.

        Raise ValueError for a damaged record: what it keeps is not known.
        """
        found = set[str]()
        for path in list_folder(self._files, self._saves):
            unfinished = path.rpartition("/")[2].startswith(".")
            if not unfinished and self._is_new(path, since):
                with suppress(FileNotFoundError):  # it has just been forgotten
                    found.update(map(str, read_json(self._files, path)))
        return found

    def forget(self, before: datetime) -> None:
        """Remove the records of versions that were saved last before this time."""
        for path in list_folder(self._files, self._saves):
            if not self._is_new(path, before):
                with suppress(FileNotFoundError):  # another process was faster
                    self._files.rm_file(path)

    def removal(self) -> AbstractContextManager[Callable[[], None]]:
        """Announce a removal, as `Removals.announced`."""
        return self._removals.announced()

    def _is_new(self, path: str, since: datetime) -> bool:
        """Return whether a file is there, and was written since then."""
        with suppress(FileNotFoundError):
            written: datetime = self._files.modified(path)
            return written.astimezone(UTC) >= since
        return False
