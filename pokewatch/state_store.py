"""What monitoring keeps for the next time, whichever machine or pod that is on: small texts, one file or object each.

They are kept in POKEWATCH_HOME/monitoring or, where POKEWATCH_DVC_REMOTE says that data versions are kept elsewhere, in the folder
`monitoring` there: a pod loses its own disk. A text is written at once or not at all.
"""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pokewatch.settings import Home, VersionSettings


class StateStore:
    """The texts by name; a name may have folders in it. Every method raises OSError where the place cannot be reached."""

    def __init__(self) -> None:
        settings = VersionSettings.read()
        place = (
            f"{settings.remote().rstrip('/')}/monitoring"
            if settings.dvc_remote
            else str(Home.read().monitoring)
        )
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


def open_remote(address: str, settings: VersionSettings) -> tuple[Any, str]:
    """(fsspec's file system, the path in it) of a folder or s3://bucket/path, neither of which remembers what it has listed."""
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    if "://" not in address:  # a path, whatever it looks like
        return LocalFileSystem(skip_instance_cache=True), str(Path(address).expanduser().absolute())
    options: dict[str, Any] = {"skip_instance_cache": True}
    if address.startswith("s3://"):
        options["use_listings_cache"] = False
        if settings.dvc_endpoint_url:
            options["endpoint_url"] = settings.dvc_endpoint_url
    files, root = url_to_fs(address.rstrip("/"), **options)
    return files, root


def write_at_once(files: Any, path: str, text: str) -> None:
    """The text, whole or not at all, in place of what was there; what is half written has a name that ends in `.part`."""
    if "s3" in files.protocol:
        files.pipe_file(path, text.encode())
        return
    part = f"{path}.{uuid.uuid4().hex}.part"
    files.makedirs(path.rpartition("/")[0], exist_ok=True)
    files.pipe_file(part, text.encode())
    files.mv(part, path)
