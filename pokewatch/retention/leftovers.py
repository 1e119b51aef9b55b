"""Temporary files and folders in POKEWATCH_HOME that a killed process left."""

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from pokewatch.retention.sizes import folder_size
from pokewatch.wording import counted

ABANDONED = timedelta(days=1)
# Where temporary folders are made, and how their names begin.
_PLACES = {
    "": (".shard-", ".month-", ".monitor-"),
    "versions": (".checkout-", ".version-"),
    "lake/*": (".version-",),
}


def remove_leftovers(home: Path, now: datetime, *, dry_run: bool) -> Iterator[tuple[str, int]]:
    """Remove what no process has written to for ABANDONED. Yield a count and the bytes freed."""
    before = (now - ABANDONED).timestamp()
    abandoned = [path for path in _temporary(home) if _last_written(path) < before]
    size = sum(folder_size(path) for path in abandoned)
    if not dry_run:
        for path in abandoned:
            shutil.rmtree(path, ignore_errors=True)
    if abandoned:
        count = counted(len(abandoned), "folder")
        yield f"{count} of interrupted runs", size


def _temporary(home: Path) -> Iterator[Path]:
    for folder, prefixes in _PLACES.items():
        for parent in home.glob(folder) if folder else [home]:
            for prefix in prefixes:
                yield from parent.glob(f"{prefix}*")


def _last_written(path: Path) -> float:
    times = [time.time()]
    with suppress(FileNotFoundError):  # its process has just ended
        times = [each.lstat().st_mtime for each in (path, *path.rglob("*"))]
    return max(times)
