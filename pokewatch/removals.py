"""Removals in progress at a remote. Whoever may rely on the removed files waits for their end.

A removal is announced before it looks at what is in use. The file that announces it is empty, as
there may be no room for another one. If it is not written again for a minute, the removal has been
killed.

    <folder>/<name>     a removal in progress, written again and again until it ends
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pokewatch.errors import VersionError
from pokewatch.remote_files import list_folder, write_atomically

logger = logging.getLogger("pokewatch.retention")

_REWRITTEN_SECONDS, _ABANDONED_SECONDS = 5.0, 60.0
_POLL_SECONDS = 0.2


class Removals:
    """The removals in progress that are announced in a folder of a remote.

    Methods raise OSError.
    """

    def __init__(self, files: Any, folder: str) -> None:
        self._files, self._folder = files, folder

    @contextmanager
    def announced(self) -> Iterator[Callable[[], None]]:
        """Announce a removal; yield a function to be called before each file is removed.

        It raises VersionError if another process has taken the removal for abandoned.
        """
        path = f"{self._folder}/{uuid.uuid4().hex}"
        write_atomically(self._files, path, "")
        written = time.monotonic()

        def proceed() -> None:
            nonlocal written
            if time.monotonic() - written < _REWRITTEN_SECONDS:
                return
            if not self._files.exists(path):
                raise VersionError("the removal took too long between two files; run it again")
            with suppress(OSError):  # a full disk, on which removals make room
                write_atomically(self._files, path, uuid.uuid4().hex)
                written = time.monotonic()

        try:
            yield proceed
        finally:
            self._remove(path)

    def wait(self) -> None:
        """Wait until no removal is in progress. A long wait is logged once."""
        seen: dict[tuple[str, bytes], float] = {}
        began, logged = time.monotonic(), False
        while found := self._contents(list_folder(self._files, self._folder)):
            now = time.monotonic()
            if now - began > _REWRITTEN_SECONDS and not logged:
                logger.warning(
                    "waiting until what is unused has been removed (%s); "
                    "a removal that was killed is given up after %g s",
                    self._folder,
                    _ABANDONED_SECONDS,
                )
                logged = True
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

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):  # another process was faster
            self._files.rm_file(path)
