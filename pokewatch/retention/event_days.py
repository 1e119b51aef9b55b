"""The days of the gateway's event log."""

import shutil
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

from pokewatch.retention.sizes import folder_size
from pokewatch.wording import counted

_PREFIX = "date="


def remove_old_events(
    folder: Path, now: datetime, keep: timedelta, *, dry_run: bool
) -> Iterator[tuple[str, int]]:
    """Remove the days of an event log that ended longer than `keep` ago.

    Yield a count and the bytes freed. Raise OSError.
    """
    before = (now - keep).date()
    old = [path for path in folder.glob(f"{_PREFIX}*") if _day(path) < before]
    size = sum(map(folder_size, old))
    if not dry_run:
        for path in old:
            shutil.rmtree(path)
    if old:
        yield f"{counted(len(old), 'day')} of events", size


def _day(path: Path) -> date:
    """Return the day of a folder, the last of all for one that the gateway did not make."""
    try:
        return date.fromisoformat(path.name.removeprefix(_PREFIX))
    except ValueError:
        return date.max
