"""A record of the requests to a source, shared by all threads and processes of a home.

It holds the pages fetched lately, with the time of each, the times of all requests of the last 24
hours, the block that the server has imposed, and the pages that failed. Everything is stored at
once, so that a killed process loses no page and no count.
"""

import fcntl
import math
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from pokewatch.errors import LakeError
from pokewatch.settings import private_folder
from pokewatch.wording import counted

DAY_SECONDS = 24 * 3600.0
KEPT_DAYS = 30  # for which failed pages are remembered
_TABLES = """
CREATE TABLE IF NOT EXISTS pages
    (url TEXT PRIMARY KEY, fetched REAL, day TEXT, status INTEGER, body BLOB);
CREATE TABLE IF NOT EXISTS requests (at REAL);
CREATE INDEX IF NOT EXISTS requests_at ON requests (at);
CREATE TABLE IF NOT EXISTS answers (id INTEGER PRIMARY KEY CHECK (id = 1), at REAL);
CREATE TABLE IF NOT EXISTS blocks (id INTEGER PRIMARY KEY CHECK (id = 1), at REAL, seconds REAL);
CREATE TABLE IF NOT EXISTS failed_pages
    (url TEXT, day TEXT, cause TEXT, PRIMARY KEY (url, day));
"""
_HAS_TABLES = "SELECT 1 FROM sqlite_master WHERE name = 'failed_pages'"  # the last one created


class NotSentError(Exception):
    """A request was not sent, since it would break a rule of the server."""


class BudgetError(NotSentError):
    """The requests of the last 24 hours have reached the limit."""

    def __init__(self, limit: int, wait: float) -> None:
        super().__init__(
            f"not requested: {limit:,} requests in 24 hours is the limit "
            "(POKEWATCH_TCGCSV_DAILY_REQUESTS). The pages fetched so far are stored; run the "
            f"command again in {wait / 3600:.1f} hours"
        )


class BlockedError(NotSentError):
    """The server has blocked requests for a while."""

    def __init__(self, wait: float) -> None:
        super().__init__(
            "not requested: the server has blocked requests; run the command again in "
            f"{counted(math.ceil(wait / 60), 'minute')}"
        )


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page as fetched: `day` is the day of its prices, None for other pages."""

    fetched: float  # seconds since 1970
    day: date | None
    status: int
    body: str


class RequestStore:
    """Pages, and the times of requests, in an SQLite file. Raise LakeError if it is unusable."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold the lock `name` against all other threads and processes; a killed one frees it."""
        path = self._path.with_suffix(f".{name}.lock")
        try:
            private_folder(path.parent)
            lock = path.open("a")
        except OSError as error:
            raise self._unusable(error) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def page(self, url: str) -> StoredPage | None:
        """Return the page last fetched from `url`, None if it is not stored."""
        with self._opened() as database:
            row = database.execute(
                "SELECT fetched, day, status, body FROM pages WHERE url = ?", (url,)
            ).fetchone()
        if row is None:
            return None
        fetched, day, status, body = row
        return StoredPage(
            fetched,
            date.fromisoformat(day) if day else None,
            status,
            zlib.decompress(body).decode(),
        )

    def write_page(self, url: str, page: StoredPage) -> None:
        """Store `page`, and remove those that are over two days older."""
        body = zlib.compress(page.body.encode(), 1)
        day = page.day.isoformat() if page.day else None
        with self._opened() as database:
            database.execute("DELETE FROM pages WHERE fetched < ?", (page.fetched - 172_800,))
            database.execute(
                "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?, ?)",
                (url, page.fetched, day, page.status, body),
            )

    def count_request(self, now: float, limit: int) -> None:
        """Count a request about to be sent. Raise BudgetError if it would exceed `limit`."""
        with self._opened() as database:
            database.execute("BEGIN IMMEDIATE")
            # Those of a day ahead and more were sent before the clock was set back.
            around = now - DAY_SECONDS, now + DAY_SECONDS
            database.execute("DELETE FROM requests WHERE at <= ? OR at >= ?", around)
            count, first = database.execute("SELECT COUNT(*), MIN(at) FROM requests").fetchone()
            if count >= limit:
                raise BudgetError(limit, first + DAY_SECONDS - now)
            database.execute("INSERT INTO requests VALUES (?)", (now,))

    def requests(self, now: float) -> int:
        """Return the number of requests in the 24 hours before `now`."""
        with self._opened() as database:
            count = database.execute(
                "SELECT COUNT(*) FROM requests WHERE at > ?", (now - DAY_SECONDS,)
            ).fetchone()[0]
        return int(count)

    def last_answer(self) -> float | None:
        """Return when the last request was answered, by the clock of `write_answer`."""
        with self._opened() as database:
            row = database.execute("SELECT at FROM answers").fetchone()
        return row[0] if row else None

    def write_answer(self, at: float) -> None:
        with self._opened() as database:
            database.execute("INSERT OR REPLACE INTO answers VALUES (1, ?)", (at,))

    def block(self, now: float, seconds: float) -> None:
        """Record that the server has blocked requests for `seconds` from `now` on."""
        with self._opened() as database:
            database.execute("INSERT OR REPLACE INTO blocks VALUES (1, ?, ?)", (now, seconds))

    def blocked(self, now: float) -> float:
        """Return for how many seconds after `now` requests are blocked."""
        with self._opened() as database:
            row = database.execute("SELECT at, seconds FROM blocks").fetchone()
        if row is None or now < row[0]:  # the clock has been set back
            return 0.0
        return max(0.0, float(row[0] + row[1] - now))

    def write_failures(self, day: date, failures: Mapping[str, str]) -> None:
        """Replace the failed pages of `day`, cause by URL.

        Those of other days are kept for KEPT_DAYS, except products, which are not of a day.
        """
        oldest = day - timedelta(days=KEPT_DAYS)
        with self._opened() as database:
            database.execute(
                "DELETE FROM failed_pages WHERE day = ? OR day < ? OR url LIKE '%/products'",
                (day.isoformat(), oldest.isoformat()),
            )
            rows = [(url, day.isoformat(), cause) for url, cause in failures.items()]
            database.executemany("INSERT INTO failed_pages VALUES (?, ?, ?)", rows)

    def failures(self, day: date) -> dict[str, str]:
        """Return the pages of `day` that failed in its last run, cause by URL."""
        with self._opened() as database:
            rows = database.execute(
                "SELECT url, cause FROM failed_pages WHERE day = ? ORDER BY url", (day.isoformat(),)
            ).fetchall()
        return dict(rows)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            private_folder(self._path.parent)
            with closing(sqlite3.connect(self._path, timeout=60)) as database, database:
                database.execute("PRAGMA synchronous = NORMAL")
                if not database.execute(_HAS_TABLES).fetchone():
                    database.executescript(_TABLES)
                yield database
        except (OSError, sqlite3.Error, zlib.error) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> LakeError:
        return LakeError(
            f"{self._path}, the record of requests, cannot be used: {error}. Free space or correct "
            "the permissions of the folder; if the file is damaged, remove it"
        )
