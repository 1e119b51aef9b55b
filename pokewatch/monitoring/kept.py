"""What monitoring keeps for the next time, whichever machine or pod that is on: small texts, one file or object each.

They are kept in POKEWATCH_HOME/monitoring or, where POKEWATCH_DVC_REMOTE says that data versions are kept elsewhere, in the folder
`monitoring` there: a pod loses its own disk. A text is written at once or not at all.
"""

from collections.abc import Callable
from typing import Any

from pokewatch.market.heads import open_remote, write_at_once
from pokewatch.settings import Home, VersionSettings


class Kept:
    """The texts by name; a name may have folders in it. Every method raises OSError where the place cannot be reached."""

    def __init__(self) -> None:
        settings = VersionSettings.read()
        place = f"{settings.remote().rstrip('/')}/monitoring" if settings.dvc_remote else str(Home.read().monitoring)
        self._files, self._root = open_remote(place, settings)

    def read(self, name: str) -> str | None:
        """The text of that name, None where there is none."""
        try:
            return str(self._asked(self._files.cat_file, f"{self._root}/{name}").decode())
        except FileNotFoundError:
            return None

    def write(self, name: str, text: str) -> None:
        """Keep a text under a name, in place of the former."""
        self._asked(write_at_once, self._files, f"{self._root}/{name}", text)

    def names(self, folder: str) -> list[str]:
        """The names in a folder, and in those below it, sorted."""
        found = self._asked(self._files.find, f"{self._root}/{folder}")
        return sorted(path[len(self._root) + 1 :] for path in found if not path.endswith(".part"))

    def _asked(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except OSError:
            raise
        except Exception as error:  # what is below fsspec has errors of its own: no credentials, nobody at the address
            raise OSError(f"{self._root}: {type(error).__name__} {error}") from error
