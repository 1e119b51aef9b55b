"""What the monitoring flow measured last, as serving finds it: `monitoring/latest.json` in POKEWATCH_HOME.

Where serving and flows share no disk, the registry remembers the same document, and serving reads it at each load.
"""

import json
import logging
from dataclasses import dataclass
from datetime import date
from pathlib import Path

logger = logging.getLogger("pokewatch.serving")

REMEMBERED = "monitoring"  # the name under which `Registry.remember` keeps the document


@dataclass(frozen=True, slots=True)
class Measured:
    """`figures` by name; `measured_on` is the market day up to which they were measured."""

    measured_on: date
    figures: dict[str, float]

    @classmethod
    def parse(cls, content: str) -> "Measured":
        """Raises ValueError for what is not such a document. What is no number (null: not known) is left out."""
        try:
            found = json.loads(content)
            figures = {
                str(name): float(value)
                for name, value in found["figures"].items()
                if isinstance(value, (int, float))
            }
            return cls(date.fromisoformat(found["measured_on"]), figures)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(
                f"not a document of the monitoring flow: {type(error).__name__} {error}"
            ) from None


def remembered(content: str) -> Measured | None:
    """The document that came with the champion, None where there is none. One that is damaged is told in the log, and is none."""
    try:
        return Measured.parse(content) if content else None
    except ValueError as error:
        logger.warning("what the registry remembers of monitoring is passed over: %s", error)
        return None


def newest(*found: Measured | None) -> Measured | None:
    """The one measured up to the latest day; of two of one day the first."""
    return max(
        (each for each in found if each is not None),
        key=lambda each: each.measured_on,
        default=None,
    )


class MeasuredFile:
    """Reads the file when it has changed. A file that cannot be read is told in the log, once, and counts as none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._measured: Measured | None = None

    def current(self) -> Measured | None:
        try:
            found = self._path.stat()
        except OSError:
            self._seen = self._measured = None
            return None
        if (found.st_mtime_ns, found.st_ino) != self._seen:
            self._seen = (found.st_mtime_ns, found.st_ino)
            self._measured = self._read()
        return self._measured

    def _read(self) -> Measured | None:
        try:
            return Measured.parse(self._path.read_text())
        except (OSError, ValueError) as error:
            logger.warning("%s is passed over: %s", self._path, error)
            return None
