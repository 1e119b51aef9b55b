"""Creation of the key store's file: atomic, and accessible to its owner only."""

import os
import sqlite3
import stat
import tempfile
from contextlib import closing, suppress
from pathlib import Path

from pokewatch.atomic_file import sync

LAYOUT = 1

_TABLES = """
CREATE TABLE keys (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL, rate TEXT NOT NULL,
    created_at REAL NOT NULL, expires_at REAL, revoked_at REAL
);
CREATE TABLE revision (number INTEGER NOT NULL);
INSERT INTO revision VALUES (0);
"""


def make_file(path: Path) -> None:
    """Create the file unless it exists. If two processes create it, the first one's is used."""
    if path.exists():
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            with suppress(PermissionError):  # the file of another user, writable for us
                path.chmod(0o600)
        return
    _make_folder(path.parent)
    with tempfile.TemporaryDirectory(prefix=".keys-", dir=path.parent) as folder:
        Path(folder).chmod(0o700)  # whatever the umask
        temporary = Path(folder, path.name)
        _make_tables(temporary)
        with suppress(FileExistsError):
            os.link(temporary, path)
    sync(path.parent)


def _make_folder(folder: Path) -> None:
    """Create a folder for its owner only, whatever the umask. An existing one is not changed."""
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)


def _make_tables(path: Path) -> None:
    path.touch()
    path.chmod(0o600)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {LAYOUT}; COMMIT;")
