"""API keys: an SQLite file of hashes. A key is shown once, when it is made.

A key is `pw_<id>_<secret>`; the id is public, the secret has 256 random bits. What is stored is SHA-256 of the whole key: slow
hashes (scrypt, argon2) protect secrets that can be guessed, and 256 random bits cannot.
"""

import hashlib
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pokewatch.errors import KeyStoreError
from pokewatch.gateway.limits import Rate

SCOPES = ("read", "batch", "admin")
DEFAULT_SCOPES = ("read", "batch")
DEFAULT_RATE = "100/minute"
LAYOUT = 1

_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,100}")
_DURATION = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_TABLES = """
CREATE TABLE keys (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, hash BLOB NOT NULL UNIQUE, scopes TEXT NOT NULL, rate TEXT NOT NULL,
    created_at REAL NOT NULL, expires_at REAL, revoked_at REAL
);
CREATE TABLE revision (number INTEGER NOT NULL);
INSERT INTO revision VALUES (0);
"""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as stored. Times are seconds since 1970 UTC."""

    id: str
    name: str
    hash: bytes
    scopes: frozenset[str]
    rate: Rate | None
    created_at: float
    expires_at: float | None
    revoked_at: float | None

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes

    def live(self, now: float) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: the only time that `key` is known."""

    id: str
    key: str
    name: str
    scopes: tuple[str, ...]
    rate: str
    created_at: float
    expires_at: float | None


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def parse_scopes(text: str) -> tuple[str, ...]:
    """`read,batch` as a tuple, in the order of SCOPES. Raises KeyStoreError naming an unknown one."""
    asked = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [scope for scope in asked if scope not in SCOPES]
    if unknown or not asked:
        raise KeyStoreError(f"scopes: got {text!r}, expected some of {','.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in asked)


def parse_duration(text: str) -> timedelta:
    """`90d`, `12h`, `30m`, `2w` or `45s` as a time span. Raises KeyStoreError otherwise."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise KeyStoreError(f"expires: got {text!r}, expected a number and a unit, like 90d, 12h or 30m")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def parse_rate(text: str) -> Rate | None:
    """`100/minute` as a rate, `none` as no limit. Raises KeyStoreError otherwise."""
    try:
        return None if text.strip() == "none" else Rate.parse(text)
    except ValueError as error:
        raise KeyStoreError(f"rate: {error}") from None


class KeyStore:
    """The keys in one SQLite file, made when the first key is. Several processes may share it.

    Every change adds one to `revision`, which readers watch: see `pokewatch.gateway.keyring`.
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
    ) -> NewKey:
        """Makes a key. Raises KeyStoreError for a name, scope or rate that is not allowed."""
        if not _NAME.fullmatch(name):
            raise KeyStoreError(f"name: got {name!r}, expected 1 to 100 printable characters")
        with self._writing() as database:
            return self._insert(database, name, parse_scopes(",".join(scopes)), rate, expires)

    def list(self) -> list[Key]:
        """Every key, oldest first, the revoked and expired ones too."""
        if not self.path.exists():
            return []
        with self._reading() as database:
            return [_key(row) for row in database.execute("SELECT * FROM keys ORDER BY created_at, id")]

    def revoke(self, key_id: str) -> Key:
        """Ends a key at once. Revoking twice keeps the first time. Raises KeyStoreError for an unknown id."""
        with self._writing() as database:
            database.execute("UPDATE keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?", (self._clock(), key_id))
            return self._find(database, key_id)

    def rotate(self, key_id: str, grace: timedelta = timedelta(0)) -> NewKey:
        """A new key with the name, scopes, rate and expiry of `key_id`; the old one ends after `grace`."""
        now = self._clock()
        with self._writing() as database:
            old = self._find(database, key_id)
            if not old.live(now):
                raise KeyStoreError(f"key {key_id} has ended: make a new one")
            end = now + grace.total_seconds()
            database.execute("UPDATE keys SET expires_at = min(coalesce(expires_at, ?), ?) WHERE id = ?", (end, end, key_id))
            expires = None if old.expires_at is None else timedelta(seconds=old.expires_at - now)
            return self._insert(database, old.name, parse_scopes(",".join(old.scopes)), str(old.rate or "none"), expires)

    def revision(self) -> int:
        """Goes up with every change; -1 while there is no file."""
        if not self.path.exists():
            return -1
        with self._reading() as database:
            return int(database.execute("SELECT number FROM revision").fetchone()[0])

    def _insert(self, database: sqlite3.Connection, name: str, scopes: tuple[str, ...], rate: str, expires: timedelta | None) -> NewKey:
        key_id = secrets.token_hex(6)
        key = f"pw_{key_id}_{secrets.token_urlsafe(32)}"
        now = self._clock()
        ends = None if expires is None else now + expires.total_seconds()
        limit = str(parse_rate(rate) or "none")
        row = (key_id, name, digest(key), ",".join(scopes), limit, now, ends, None)
        database.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        return NewKey(key_id, key, name, scopes, limit, now, ends)

    def _find(self, database: sqlite3.Connection, key_id: str) -> Key:
        row = database.execute("SELECT * FROM keys WHERE id = ?", (key_id,)).fetchone()
        if row is None:
            raise KeyStoreError(f"no key has the id {key_id!r}")
        return _key(row)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        self._create()
        with self._connected() as database, database:
            database.execute("UPDATE revision SET number = number + 1")
            yield database

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as database:
            yield database

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=rw", uri=True, timeout=5)) as database:
                layout = database.execute("PRAGMA user_version").fetchone()[0]
                if layout != LAYOUT:
                    raise KeyStoreError(f"{self.path} has layout {layout}, this PokeWatch reads {LAYOUT}")
                yield database
        except sqlite3.Error as error:
            raise KeyStoreError(f"{self.path}: {error}") from error

    def _create(self) -> None:
        """Only this file's owner may read it. Two processes may come here at once: the first one makes the tables."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
            with closing(sqlite3.connect(self.path, timeout=5, isolation_level=None)) as database:
                database.execute("BEGIN IMMEDIATE")
                if database.execute("PRAGMA user_version").fetchone()[0] == 0:
                    for statement in _TABLES.split(";"):
                        database.execute(statement)
                    database.execute(f"PRAGMA user_version = {LAYOUT}")
                database.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            raise KeyStoreError(f"{self.path}: {error}") from error


def _key(row: Sequence[object]) -> Key:
    key_id, name, hashed, scopes, rate, created, expires, revoked = row
    return Key(key_id, name, hashed, frozenset(str(scopes).split(",")), parse_rate(str(rate)), created, expires, revoked)  # type: ignore[arg-type]
