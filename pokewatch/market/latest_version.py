"""The latest version of each lake, stored at the remote beside the data versions.

A pod starts with an empty disk: the latest version restores the lake from the remote alone.
"""

import contextlib
import re
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from pokewatch.errors import VersionError
from pokewatch.market.lake import Lake
from pokewatch.market.merge import merge_cards
from pokewatch.market.versions import DataVersions, is_version
from pokewatch.remote_files import open_remote, remote_errors, write_atomically
from pokewatch.settings import VersionSettings

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class LatestVersions:
    """The latest version of each lake. Of two writers to one lake, the last one wins."""

    def __init__(self, settings: VersionSettings | None = None) -> None:
        self._settings = settings or VersionSettings.read()

    def read(self, lake: str) -> str | None:
        """Return the latest version of a lake, None if none was published. Raise VersionError."""
        files, path = self._location(lake)
        try:
            version = str(files.cat_file(path).decode(errors="replace").strip())
        except FileNotFoundError:
            return None
        except remote_errors() as error:
            raise VersionError(
                f"the latest version of {lake} cannot be read from {path}: {error}"
            ) from error
        if not is_version(version):
            raise VersionError(
                f"the latest version of {lake} at {path} is not a data version: {version[:80]!r}"
            )
        return version

    def all(self) -> list[str]:
        """Return the latest version of every lake. Raise VersionError."""
        files, root = open_remote(self._settings.remote(), self._settings)
        try:
            lakes = files.ls(f"{root}/heads", detail=False)
        except FileNotFoundError:
            return []
        names = [str(path).rpartition("/")[2] for path in lakes]
        found = [self.read(name) for name in names if _NAME.fullmatch(name)]
        return [version for version in found if version]

    def publish(self, lake: str, version: str) -> None:
        """Make `version`, already saved, the latest of its lake, atomically. Raise VersionError."""
        files, path = self._location(lake)
        try:
            write_atomically(files, path, version)
        except remote_errors() as error:
            raise VersionError(
                f"the latest version of {lake} cannot be written to {path}: {error}"
            ) from error

    def save(self, lake: Lake, *, publish: bool = True) -> str:
        """Store a lake as a version, with `publish` as the latest one, and return it.

        Meanwhile no other process writes to the lake, and none saves it. Raise VersionError.
        """
        with lake.locked():
            version = DataVersions(lake.root, self._settings).save(lake.raw)
            if publish:
                self.publish(lake.root.name, version)
        return version

    def restore(self, lake: Lake) -> str | None:
        """Fill an empty lake with its latest version, or bring back what another lake lacks of it.

        That is every day that it does not have, as after its folder was deleted and collected
        again in part, and its unreadable files, which are set aside: what is saved next is the
        latest version, and must not have fewer days. Return that version; None if nothing was
        restored. What the remote does not give can be collected again. Raise VersionError for an
        empty lake.
        """
        if lake.unreadable():
            with lake.locked():
                lake.set_aside_unreadable()
        if not lake.days():
            return self._restore(lake)
        with contextlib.suppress(VersionError):
            return self._restore(lake)
        return None

    def _restore(self, lake: Lake) -> str | None:
        if (version := self.read(lake.root.name)) is None:
            return None
        with (
            lake.locked(),
            tempfile.TemporaryDirectory(prefix=".version-", dir=lake.root) as scratch,
        ):
            versions, empty = DataVersions(lake.root, self._settings), not lake.days()
            stored_paths = set() if empty else versions.paths(version)
            lost = [path for path in lake.lost() if path in stored_paths]
            absent = _days_of(stored_paths) - {day.isoformat() for day in lake.days()}
            if not lost and not absent and not empty:
                return None  # another process was faster, or the version has no more
            stored = Path(scratch) / "raw"
            versions.materialise(version, stored)
            if empty:
                _replace_all(lake.raw, stored, Path(scratch) / "former")
            else:
                _replace(lake.raw, stored, lost)
                _add_days(lake, stored, absent)
        return version

    def _location(self, lake: str) -> tuple[Any, str]:
        if not _NAME.fullmatch(lake):
            raise VersionError(f"{lake!r} is not the name of a lake")
        files, root = open_remote(self._settings.remote(), self._settings)
        return files, f"{root}/heads/{lake}"


def _replace_all(raw: Path, stored: Path, former: Path) -> None:
    """Put a version in the place of a folder without days: its first collection was interrupted."""
    if raw.exists():
        raw.replace(former)
    stored.replace(raw)


def _days_of(paths: Iterable[Path]) -> set[str]:
    """Return the days that have prices among the files of a version."""
    return {_day_of(path) for path in paths if path.parts[0] == "prices"}


def _day_of(part: Path) -> str:
    return part.parent.name.removeprefix("date=")  # as in earlier versions


def _add_days(lake: Lake, stored: Path, days: Collection[str]) -> None:
    """Add days of a version that the lake does not have, and the cards of those days."""
    former = Lake(stored.parent, raw=stored)
    if days and former.has_catalog():  # else it was lost, and is back already
        cards = former.catalog()
        merged = merge_cards(cards, lake.catalog()) if lake.has_catalog() else None
        lake.write_catalog(cards if merged is None else merged)
    for folder in ("quarantine", "prices"):
        found = (path for path in (stored / folder).glob("*/*") if _day_of(path) in days)
        _replace(lake.raw, stored, [path.relative_to(stored) for path in found])


def _replace(raw: Path, stored: Path, paths: Iterable[Path]) -> None:
    for path in paths:
        (raw / path).parent.mkdir(parents=True, exist_ok=True)
        (stored / path).replace(raw / path)
