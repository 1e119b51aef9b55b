"""The history of what monitoring has measured, only ever added to, and the newest figures.

    history/<day of prices>/<n>-<digest>.json    of several of a day the last stands; where `StateStore` keeps it
    <POKEWATCH_HOME>/monitoring/latest.json      {"measured_on": day, "figures": {name: number}}, for servers on this machine

Measuring the same day again with the same result adds nothing. An entry that is damaged is left out when reading.
"""

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from datetime import date
from typing import Any

from pokewatch.settings import Home
from pokewatch.state_store import StateStore

logger = logging.getLogger("pokewatch.monitoring")

_FOLDER = "history"


class MeasurementHistory:
    """The history. Every method that asks where it is kept raises OSError where that cannot be reached."""

    def __init__(self) -> None:
        self._kept = StateStore()

    def append(self, measured_on: date, record: Mapping[str, Any]) -> bool:
        """Add what was measured on a day; False, with nothing added, where the history says the same of it already."""
        text = json.dumps(
            {"measured_on": measured_on.isoformat(), **record}, sort_keys=True, allow_nan=False
        )
        folder = f"{_FOLDER}/{measured_on}"
        known = self._kept.names(folder)
        if known and self._kept.read(known[-1]) == text:
            return False
        # the digest keeps writers at the same time apart: neither takes the other's place
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        self._kept.write(f"{folder}/{len(known):04d}-{digest}.json", text)
        return True

    def days(self) -> dict[date, dict[str, Any]]:
        """What was measured, by day, in the order of days."""
        found = {}
        for name in self._kept.names(_FOLDER):
            try:
                entry = json.loads(self._kept.read(name) or "")
            except ValueError:
                logger.warning("%s of the history of monitoring is damaged, and is left out", name)
                continue
            found[date.fromisoformat(entry["measured_on"])] = entry
        return found

    def write_latest(self, measured_on: date, figures: Mapping[str, float]) -> str:
        """Replace the newest figures, at once or not at all; what was written."""
        folder = Home.read().monitoring
        folder.mkdir(parents=True, exist_ok=True)
        document = json.dumps(
            {"measured_on": measured_on.isoformat(), "figures": dict(figures)}, allow_nan=False
        )
        written = folder / f"latest.{os.getpid()}"
        written.write_text(document)
        written.replace(folder / "latest.json")
        return document
