"""The data versions saved lately, recorded at the remote so that `tidy` keeps their files.

DVC does not write a file again that is already at the remote, so the age of a file does not tell
whether a run counts on it. A save is recorded before its files are looked up, and a removal is
announced before the records are read: whichever comes second sees the other. A removal keeps what
a record lists, and a save waits until the removals in progress have ended.

    <remote>/saves/<version>     the hashes of the version's files, JSON
    <remote>/removals/<name>     a removal in progress, written again as long as it lasts
"""

import json
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from pokewatch.errors import VersionError
from pokewatch.remote_files import open_remote, write_atomically
from pokewatch.settings import VersionSettings

LIST = ".dir"  # suffix of the hash of a version's list of files
_REWRITTEN_SECONDS, _ABANDONED_SECONDS = 5.0, 60.0
_POLL_SECONDS = 0.2


class RecentSaves:
    """The recorded saves at a remote, and the removals in progress. Methods raise OSError."""

    def __init__(self, settings: VersionSettings) -> None:
        self._files, root = open_remote(settings.remote(), settings)
        self._saves, self._removals = f"{root}/saves", f"{root}/removals"

    def record(self, version: str, hashes: Collection[str]) -> None:
        """Record a version about to be saved, then wait until no removal is in progress."""
        text = json.dumps(sorted({f"{version}{LIST}", *hashes}))
        write_atomically(self._files, f"{self._saves}/{version}", text)
        self._wait()

    def recorded(self, since: datetime) -> set[str]:
        """Return the names of the files of the versions saved since then, and of their lists."""
        paths = (path for path in self._paths(self._saves) if not path.endswith(".part"))
        contents = self._contents(path for path in paths if self._is_new(path, since))
        return {str(name) for text in contents.values() for name in json.loads(text)}

    def forget(self, before: datetime) -> None:
        """Remove the records of versions that were saved last before this time."""
        for path in self._paths(self._saves):
            if not self._is_new(path, before):
                self._remove(path)

    @contextmanager
    def removal(self) -> Iterator[Callable[[], None]]:
        """Announce a removal; yield a function to be called before each file is removed.

        It raises VersionError if a save has taken the removal for abandoned.
        """
        path = f"{self._removals}/{uuid.uuid4().hex}"
        write_atomically(self._files, path, "0")
        written = time.monotonic()

        def proceed() -> None:
            nonlocal written
            if time.monotonic() - written < _REWRITTEN_SECONDS:
                return
            if not self._files.exists(path):
                raise VersionError("the removal took too long between two files; run it again")
            write_atomically(self._files, path, uuid.uuid4().hex)
            written = time.monotonic()

        try:
            yield proceed
        finally:
            self._remove(path)

    def _wait(self) -> None:
        """Wait for the removals in progress; one not written for a minute has been killed."""
        seen: dict[tuple[str, bytes], float] = {}
        while found := self._contents(self._paths(self._removals)):
            now = time.monotonic()
            for path, text in found.items():
                if now - seen.setdefault((path, text), now) > _ABANDONED_SECONDS:
                    self._remove(path)
            time.sleep(_POLL_SECONDS)

    def _contents(self, paths: Iterable[str]) -> dict[str, bytes]:
        found = {}
        for path in paths:
            with suppress(FileNotFoundError):  # it has just ended
                found[path] = self._files.cat_file(path)
        return found

    def _paths(self, folder: str) -> list[str]:
        with suppress(FileNotFoundError):
            return [str(path) for path in self._files.ls(folder, detail=False)]
        return []

    def _is_new(self, path: str, since: datetime) -> bool:
        """Return whether a file is there, and was written since then."""
        with suppress(FileNotFoundError):
            written: datetime = self._files.modified(path)
            return written.astimezone(UTC) >= since
        return False

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):  # another process was faster
            self._files.rm_file(path)
