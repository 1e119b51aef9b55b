"""The latest figures of the monitoring flow, read from a file of the market in POKEWATCH_HOME.

The registry holds a copy of that document for servers that share no disk with the flows; it is read
when a book is loaded.
"""

import json
import logging
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pokewatch.settings import Home

logger = logging.getLogger("pokewatch.serving")

MONITORING_KEY = "monitoring"  # the key of the document in the registry


def figures_file(market: str) -> Path:
    """Return the file of a named market, or of the only one for ""."""
    folder = Home.read().monitoring
    return folder / (f"latest-{market}.json" if market else "latest.json")


@dataclass(frozen=True, slots=True)
class MonitoringFigures:
    """Figures by name, measured up to and including the market day `measured_on`."""

    measured_on: date
    figures: dict[str, float]

    @classmethod
    def parse(cls, content: str) -> "MonitoringFigures":
        """Return the figures of a JSON document, leaving out nulls. Raise ValueError."""
        try:
            document = json.loads(content)
            figures = {
                str(name): float(value)
                for name, value in document["figures"].items()
                if isinstance(value, (int, float))
            }
            return cls(date.fromisoformat(document["measured_on"]), figures)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(
                f"not a document of the monitoring flow: {type(error).__name__} {error}"
            ) from None


def parse_registered(content: str) -> MonitoringFigures | None:
    """Return the figures stored in the registry, or None if there are none or they are invalid.

    Invalid content is logged.
    """
    try:
        return MonitoringFigures.parse(content) if content else None
    except ValueError as error:
        logger.warning("ignoring the monitoring figures stored in the registry: %s", error)
        return None


def newest(*candidates: MonitoringFigures | None) -> MonitoringFigures | None:
    """Return the figures of the latest day; on a tie, the first."""
    return max(
        (each for each in candidates if each is not None),
        key=lambda each: each.measured_on,
        default=None,
    )


class MonitoringFile:
    """The figures in a file, read again whenever the file changes.

    An unreadable file counts as missing and is logged once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int] | None = None
        self._figures: MonitoringFigures | None = None

    def current(self) -> MonitoringFigures | None:
        """Return the figures, or None if the file is missing or unreadable."""
        try:
            stat = self._path.stat()
        except OSError:
            self._version = self._figures = None
            return None
        version = (stat.st_mtime_ns, stat.st_ino)
        if version != self._version:
            self._version = version
            self._figures = self._read()
        return self._figures

    def _read(self) -> MonitoringFigures | None:
        try:
            return MonitoringFigures.parse(self._path.read_text())
        except (OSError, ValueError) as error:
            logger.warning("ignoring %s: %s", self._path, error)
            return None
