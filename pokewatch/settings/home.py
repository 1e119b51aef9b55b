"""The folder that holds all state."""

import os
import re
import shlex
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import Field, field_validator

from pokewatch.errors import SettingsError
from pokewatch.settings.section import Section, home_folder

_PROBE_BYTES = 65_536


class Home(Section):
    """Storage."""

    home: Path = Field(
        default_factory=home_folder,
        description="Folder for all state: lakes, versions, models, price books, API keys, logs.",
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    def make(self) -> Path:
        """Create the folder, accessible to this user only; an existing one is made so.

        Raise OSError, and SettingsError for a path that DVC or MLflow would misread.
        """
        if fault := re.search(r"[\\,*\[\]{}\x00-\x1f\x7f]|%\(|::", str(self.home)):
            raise SettingsError(
                f"{self.variable('home')} {str(self.home)!r}: a path must not contain "
                f"{fault[0]!r}; "
                "use another folder"
            )
        found = private_folder(self.home).stat()
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077:
            self.home.chmod(0o700)
        return self.home

    def require_writable(self) -> None:
        """Raise SettingsError unless files can be written to the folder, as a run does."""
        try:
            with tempfile.NamedTemporaryFile(dir=self.home, prefix=".shard-") as probe:
                probe.write(bytes(_PROBE_BYTES))
        except OSError as error:
            raise SettingsError(
                f"{self.variable('home')} {str(self.home)!r}: cannot be written to "
                f"({error.strerror}); free some space, or use a writable folder"
            ) from None

    def closed(self) -> Iterator[Path]:
        """Yield the files of other users that only they may read or change, as after `sudo`.

        What lies in such a folder is not listed. A file that nobody may change need only be read.
        """
        if self.home.exists():
            yield from _closed(self.home)

    def require_own(self) -> None:
        """Raise SettingsError if files of the folder are closed to this user."""
        for path in self.closed():
            raise SettingsError(f"{path} belongs to another user, as after sudo: {self.own_again}")

    @property
    def own_again(self) -> str:
        """The command that gives this user the files in the folder."""
        return f'sudo chown -R "$(id -un)" {shlex.quote(str(self.home))}'

    @property
    def lakes(self) -> Path:
        return self.home / "lake"

    @property
    def requests(self) -> Path:
        return self.home / "requests"

    @property
    def books(self) -> Path:
        return self.home / "books"

    @property
    def exports(self) -> Path:
        return self.home / "exports"

    @property
    def served_exports(self) -> Path:
        return self.exports / "served"

    @property
    def versions(self) -> Path:
        return self.home / "versions"

    @property
    def monitoring(self) -> Path:
        return self.home / "monitoring"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def events(self) -> Path:
        return self.home / "events"

    @property
    def watches(self) -> Path:
        return self.home / "watches.sqlite"

    @property
    def keys(self) -> Path:
        return self.home / "keys.sqlite"


def _closed(path: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError):  # removed meanwhile
        found = path.lstat()
        folder = stat.S_ISDIR(found.st_mode)
        needed = os.R_OK | (os.X_OK if folder else 0) | (os.W_OK if found.st_mode & 0o200 else 0)
        if stat.S_ISLNK(found.st_mode) or path.name == "lost+found":  # of a disk of its own
            return
        if found.st_uid != os.geteuid() and not os.access(path, needed):
            yield path
        elif folder:
            for each in sorted(path.iterdir()):
                yield from _closed(each)


def private_folder(folder: Path) -> Path:
    """Create `folder` and its parents, accessible to this user only.

    Raise OSError. A folder that exists is left as it is: it may hold other things.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
