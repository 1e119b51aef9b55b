"""Heads: which version of a lake is the newest, kept beside the data versions themselves.

A pod starts with an empty disk. With the head it takes up the lake where the last collection left it, from the remote alone.
"""

import re
from typing import Any

from pokewatch.errors import VersionError
from pokewatch.market.lake import Lake
from pokewatch.market.versions import DataVersions
from pokewatch.settings import VersionSettings
from pokewatch.remote_files import open_remote, write_atomically

_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]*$")
_VERSION = re.compile(r"^[0-9a-f]{32}$")


class LatestVersions:
    """The heads at the remote of the data versions. One writer a lake at a time: of two, the last one's word stays."""

    def __init__(self, settings: VersionSettings | None = None) -> None:
        self._settings = settings or VersionSettings.read()

    def read(self, lake: str) -> str | None:
        """The newest version of a lake, None where none was ever published. Raises VersionError."""
        files, path = self._place(lake)
        try:
            version = str(files.cat_file(path).decode().strip())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise VersionError(f"the head of {lake} cannot be read at {path}: {error}") from error
        if not _VERSION.match(version):
            raise VersionError(f"the head of {lake} at {path} is no data version: {version[:80]!r}")
        return version

    def publish(self, lake: str, version: str) -> None:
        """Make `version`, which must have been kept, the newest of its lake: at once or not at all. Raises VersionError."""
        files, path = self._place(lake)
        try:
            write_atomically(files, path, version)
        except OSError as error:
            raise VersionError(
                f"the head of {lake} cannot be written to {path}: {error}"
            ) from error

    def restore(self, lake: Lake) -> str | None:
        """Fill an empty lake with the newest version of its name; that version, None where there was nothing to do. Raises VersionError."""
        if lake.days():
            return None
        version = self.read(lake.root.name)
        if version:
            DataVersions(lake.root, self._settings).materialise(version, lake.raw)
        return version

    def _place(self, lake: str) -> tuple[Any, str]:
        if not _NAME.match(lake):
            raise VersionError(f"{lake!r} is no name of a lake")
        files, root = open_remote(self._settings.remote(), self._settings)
        return files, f"{root}/heads/{lake}"
