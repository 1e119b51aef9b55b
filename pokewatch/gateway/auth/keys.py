"""API keys, stored as hashes in an SQLite file. A key is shown once, when it is created.

A key is `pw_<id>_<secret>`; the id is public, the secret has 256 random bits. The file has the
SHA-256 of the whole key: slow hashes (scrypt, argon2) protect secrets that can be guessed, and 256
random bits cannot.

Only the file's owner can read it. It is created atomically, and a change is on disk when the call
returns.
"""

import hashlib
import math
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pokewatch.errors import KeyStoreError, UnknownKeyError, storage_remedy
from pokewatch.gateway.auth.key_file import LAYOUT, make_file
from pokewatch.gateway.auth.key_values import (
    KEY_ID,
    MAX_DAYS,
    parse_name,
    parse_rate,
    parse_scopes,
    quoted,
)
from pokewatch.gateway.auth.limits import Rate

DEFAULT_SCOPES = ("read", "batch")
DEFAULT_RATE = "100/minute"

_ALL = """
SELECT id, name, hash, scopes, rate, created_at, expires_at, revoked_at FROM keys
ORDER BY created_at, id
"""
_ONE = """
SELECT id, name, hash, scopes, rate, created_at, expires_at, revoked_at FROM keys WHERE id = ?
"""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as stored. Times are Unix times. A `damaged` key cannot be read and is never live."""

    id: str
    name: str
    hash: bytes
    scopes: frozenset[str]
    rate: Rate | None
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    damaged: bool = False

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes

    def live(self, now: float) -> bool:
        if self.revoked_at is not None or self.damaged:
            return False
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just created, the only time that `key` is available."""

    id: str
    key: str
    name: str
    scopes: tuple[str, ...]
    rate: str
    created_at: float
    expires_at: float | None


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


class KeyStore:
    """The keys in one SQLite file, which is created with the first key. Processes may share it.

    Every change increments `revision`. Readers compare `fingerprint`: see `KeyCache`.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock

    def create(
        self,
        name: str,
        scopes: Sequence[str] = DEFAULT_SCOPES,
        rate: str = DEFAULT_RATE,
        expires: timedelta | None = None,
        show: Callable[[NewKey], None] | None = None,
    ) -> NewKey:
        """Create a key. Raise KeyValueError for a name, scope or rate that is not allowed.

        `show` is called with the key before it is committed: if it raises, no key is created.
        """
        attributes = (
            parse_name(name),
            parse_scopes(",".join(scopes)),
            str(parse_rate(rate) or "none"),
        )
        with self._writing() as database:
            return self._insert(database, *attributes, expires, show)

    def keys(self) -> list[Key]:
        """Return all keys, as `list` does. Raise KeyStoreError if there is no file."""
        with self._reading() as database:
            return [_key(row) for row in database.execute(_ALL)]

    def revoke(self, key_id: str) -> Key:
        """Revoke a key at once; one that is revoked already is not changed.

        Raise UnknownKeyError for an unknown id.
        """
        with self._writing() as database:
            self._find(database, key_id)
            database.execute(
                "UPDATE keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?",
                (self._clock(), key_id),
            )
            return self._find(database, key_id)

    def rotate(
        self,
        key_id: str,
        grace: timedelta = timedelta(0),
        show: Callable[[NewKey], None] | None = None,
    ) -> NewKey:
        """Return a new key with the name, scopes, rate and expiry of `key_id`.

        The old one expires after `grace`. `show` is as in `create`.
        """
        now = self._clock()
        with self._writing() as database:
            old = self._find(database, key_id)
            if not old.live(now):
                state = "is damaged" if old.damaged else "has expired or is revoked"
                raise UnknownKeyError(f"key {key_id} {state}: create a new one")
            end = now + grace.total_seconds()
            database.execute(
                "UPDATE keys SET expires_at = min(coalesce(expires_at, ?), ?) WHERE id = ?",
                (end, end, key_id),
            )
            expires = None
            if old.expires_at is not None:
                expires = timedelta(seconds=min(old.expires_at - now, MAX_DAYS * 86_400))
            scopes = parse_scopes(",".join(old.scopes))
            return self._insert(database, old.name, scopes, str(old.rate or "none"), expires, show)

    def extend(self, key_id: str, span: timedelta) -> None:
        """Have a key expire `span` from now, unless it is revoked.

        Raise UnknownKeyError for an unknown id.
        """
        with self._writing() as database:
            self._find(database, key_id)
            end = self._clock() + span.total_seconds()
            database.execute(
                "UPDATE keys SET expires_at = ? WHERE id = ? AND revoked_at IS NULL", (end, key_id)
            )

    def revision(self) -> int:
        """Return a number that increases with every change. Raise KeyStoreError."""
        with self._reading() as database:
            row = database.execute("SELECT number FROM revision").fetchone()
        if row is None or not isinstance(row[0], int):
            raise KeyStoreError(f"{self.path} is damaged: its revision is missing")
        return row[0]

    def fingerprint(self) -> tuple[int, ...] | None:
        """Return a value that changes with the contents of the store, or None if there is no file.

        The revision alone does not change when the file is replaced by another; the file's own
        times are coarse, and may not change between two writes in quick succession.
        """
        found = self._stat()
        if found is None:
            return None
        times = (found.st_mtime_ns, found.st_ctime_ns)
        return (found.st_dev, found.st_ino, found.st_size, *times, self.revision())

    def list(self) -> list[Key]:
        """Return all keys, oldest first, including revoked and expired ones."""
        return [] if self._stat() is None else self.keys()

    def _insert(
        self,
        database: sqlite3.Connection,
        name: str,
        scopes: tuple[str, ...],
        rate: str,
        expires: timedelta | None,
        show: Callable[[NewKey], None] | None,
    ) -> NewKey:
        key_id = secrets.token_hex(6)
        key = f"pw_{key_id}_{secrets.token_urlsafe(32)}"
        now = self._clock()
        ends = None if expires is None else now + expires.total_seconds()
        row = (key_id, name, digest(key), ",".join(scopes), rate, now, ends, None)
        database.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        made = NewKey(key_id, key, name, scopes, rate, now, ends)
        if show is not None:
            show(made)
        return made

    def _find(self, database: sqlite3.Connection, key_id: str) -> Key:
        known = KEY_ID.fullmatch(key_id)
        row = database.execute(_ONE, (key_id,)).fetchone() if known else None
        if row is None:
            raise UnknownKeyError(
                f"no key has the id {quoted(key_id)}: list the keys with `pokewatch keys list`"
            )
        return _key(row)

    def _stat(self) -> os.stat_result | None:
        try:
            return self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise KeyStoreError(f"{self.path}: {error.strerror}") from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            make_file(self.path)
        except (OSError, sqlite3.Error) as error:
            cause = error.strerror if isinstance(error, OSError) else error
            raise KeyStoreError(f"{self.path}: {cause}") from error
        with self._reading() as database, database:
            database.execute("PRAGMA synchronous = EXTRA")
            database.execute("UPDATE revision SET number = number + 1")
            yield database

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(
                sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=rw", uri=True, timeout=5)
            ) as database:
                database.text_factory = lambda text: text.decode(errors="replace")
                layout = database.execute("PRAGMA user_version").fetchone()[0]
                if layout == 0:
                    raise KeyStoreError(
                        f"{self.path} is not a key store: restore it, or move it away"
                    )
                if layout != LAYOUT:
                    raise KeyStoreError(
                        f"{self.path} has layout {layout}; this version reads layout {LAYOUT}"
                    )
                yield database
        except sqlite3.Error as error:
            remedy = storage_remedy(str(error))
            raise KeyStoreError(f"{self.path}: {error}{remedy}") from error


def _key(row: Sequence[Any]) -> Key:
    """Return the key of a row, marked as damaged if the row cannot be read."""
    key_id, name, hashed, scopes, rate, *times = row
    try:
        created, expires, revoked = map(_seconds, times)
        if not isinstance(hashed, bytes) or created is None:
            raise TypeError
        return Key(
            key_id,
            name,
            hashed,
            frozenset(scopes.split(",")),
            parse_rate(rate),
            created,
            expires,
            revoked,
        )
    except (KeyStoreError, AttributeError, TypeError):
        revoked_at = times[2] if isinstance(times[2], float) else None
        return Key(
            str(key_id), str(name), b"", frozenset(), None, 0.0, None, revoked_at, damaged=True
        )


def _seconds(value: Any) -> float | None:
    if value is None or (isinstance(value, int | float) and math.isfinite(value)):
        return value
    raise TypeError
