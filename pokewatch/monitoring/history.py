"""The history of what monitoring has measured: JSON lines, only ever added to, and the newest figures beside them.

    <POKEWATCH_HOME>/monitoring/history.jsonl    a line a day of prices; of several lines of a day the last stands
    <POKEWATCH_HOME>/monitoring/latest.json      {"measured_on": day, "figures": {name: number}}

Measuring the same day again with the same result adds nothing. A line that a crash cut short is left out when reading.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pokewatch.settings import Home

logger = logging.getLogger("pokewatch.monitoring")


class History:
    """The history in `folder`; by default POKEWATCH_HOME/monitoring."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Home.read().monitoring
        self._path = self._folder / "history.jsonl"

    def append(self, measured_on: date, record: Mapping[str, Any]) -> bool:
        """Add what was measured on a day; False, with nothing added, where the history says the same of it already."""
        entry = {"measured_on": measured_on.isoformat(), **record}
        line = json.dumps(entry, sort_keys=True, allow_nan=False)
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            said = [known for known in _entries(file) if known["measured_on"] == entry["measured_on"]]
            if said and said[-1] == json.loads(line):
                return False
            file.write(f"{_separator(file)}{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        return True

    def days(self) -> dict[date, dict[str, Any]]:
        """What was measured, by day, in the order of days."""
        if not self._path.exists():
            return {}
        with self._path.open("rb") as file:
            found = {date.fromisoformat(entry["measured_on"]): entry for entry in _entries(file)}
        return dict(sorted(found.items()))

    def write_latest(self, measured_on: date, figures: Mapping[str, float]) -> str:
        """Replace the newest figures, at once or not at all; what was written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        document = json.dumps({"measured_on": measured_on.isoformat(), "figures": dict(figures)}, allow_nan=False)
        written = self._folder / f"latest.{os.getpid()}"
        written.write_text(document)
        written.replace(self._folder / "latest.json")
        return document


def _entries(file: Any) -> Iterator[dict[str, Any]]:
    file.seek(0)
    for number, line in enumerate(file, 1):
        try:
            entry = json.loads(line)
        except ValueError:
            logger.warning("line %d of the history of monitoring was cut short, and is left out", number)
            continue
        yield entry


def _separator(file: Any) -> str:
    """A line break where the last line has none."""
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        return ""
    file.seek(end - 1)
    return "" if file.read(1) == b"\n" else "\n"
