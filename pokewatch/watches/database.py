"""The database of the watches: an SQLite file, or PostgreSQL by address.

`watch_layout` has the number of this layout; another one is refused rather than misread.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Double,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    RowMapping,
    Select,
    String,
    Table,
    Text,
    create_engine,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.schema import CreateColumn

from pokewatch.errors import SettingsError, WatchStoreError, storage_remedy
from pokewatch.settings import Home, PriceWatchSettings, private_folder

LAYOUT = 2

_METADATA = MetaData()
WATCHES = Table(
    "watches",
    _METADATA,
    Column("id", String(32), primary_key=True),
    Column("owner", String(64), nullable=False, index=True),  # the id of an API key, "" for none
    Column("card_id", String(80), nullable=False),
    Column("slug", String(80), nullable=False),
    Column("type", String(10), nullable=False),
    Column("price", Double),
    Column("signal", String(4)),
    Column("change", Double),
    Column("days", Integer),
    Column("currency", String(3)),
    Column("webhook", Text),
    Column("secret", Text),
    Column("created_at", Double, nullable=False),
    Column("fired", Boolean, nullable=False),  # whether the condition held when it was last judged
    Column("reason", String(40)),  # why it cannot be judged now
    Column("crossings", Integer, nullable=False),
    Column("crossed_on", String(10)),  # the market day of the last crossing
    Column("judged", String(80), nullable=False),  # by which book, "" for none; later ones are more
    Column("market", String(60), nullable=False, server_default=""),  # "": that judged next
)
DELIVERIES = Table(
    "watch_deliveries",
    _METADATA,
    Column("id", String(80), primary_key=True),
    Column("watch_id", String(32), ForeignKey("watches.id", ondelete="CASCADE"), nullable=False),
    Column("target", Text),  # the address of a webhook, None for one of POKEWATCH_NOTIFY_URLS
    Column("receiver", Text, nullable=False),  # host of the webhook, or digest of the address
    Column("title", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("claimed_until", Double, nullable=False),
    Column("error", Text),
    Column("ended_at", Double),
    Index("watch_deliveries_due", "state", "due_at"),
    Index("watch_deliveries_watch", "watch_id"),
)
REQUESTS = Table(
    "watch_requests",
    _METADATA,
    Column("owner", String(64), primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("answer", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)
_LAYOUTS = Table("watch_layout", _METADATA, Column("number", Integer, primary_key=True))

_LOCK = 0x706F6B65  # any number, the same in every process
_WAIT_SECONDS = 5


class WatchDatabase:
    """The tables, created at first use. Safe to share between threads, not between processes."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._engine: Engine | None = None
        self._starting = threading.Lock()

    @classmethod
    def configured(cls) -> "WatchDatabase":
        """Return the database of the settings. Raise SettingsError."""
        settings = PriceWatchSettings.read()
        if settings.watches_url is None:
            return cls(URL.create("sqlite", database=str(Home.read().watches)))
        return cls(_parsed(settings.watches_url.get_secret_value()))

    @contextmanager
    def transaction(self, lock: str | None = None) -> Iterator[Connection]:
        """Yield a connection in a transaction. Raise WatchStoreError if the database fails.

        Transactions with the same `lock` run one after the other. In SQLite all of them do.
        """
        try:
            with self._started().begin() as connection:
                if lock is not None and connection.dialect.name == "postgresql":
                    connection.execute(select(_advisory_lock(func.hashtext(lock))))
                yield connection
        except SQLAlchemyError as error:
            raise self._failure(error) from error

    def rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        """Return the rows of a query, none where there is no file yet. Raise WatchStoreError."""
        if self._is_absent():
            return []  # none is created: the home may be read-only
        with self.transaction() as connection:
            return connection.execute(query).mappings().all()

    def close(self) -> None:
        """Close all connections."""
        if self._engine is not None:
            self._engine.dispose()

    def _started(self) -> Engine:
        with self._starting:
            if self._engine is None:
                engine = self._new_engine()
                try:
                    with engine.begin() as connection:
                        self._prepare(connection)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
            return self._engine

    def _new_engine(self) -> Engine:
        if self._is_sqlite():
            return self._sqlite()
        # A server that does not answer must not hold a request for long.
        options = f"-c statement_timeout={_WAIT_SECONDS * 4}s -c lock_timeout={_WAIT_SECONDS * 2}s"
        return create_engine(
            self.url,
            pool_pre_ping=True,
            pool_timeout=_WAIT_SECONDS,
            connect_args={"connect_timeout": _WAIT_SECONDS, "options": options},
        )

    def _is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    def _is_absent(self) -> bool:
        """Return whether no file was created yet."""
        try:
            return self._is_sqlite() and not Path(str(self.url.database)).exists()
        except OSError:
            return False  # opening it tells why

    def _sqlite(self) -> Engine:
        try:  # the file holds the secrets of webhooks
            private_folder(Path(str(self.url.database)).parent)
            os.close(os.open(str(self.url.database), os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise WatchStoreError(f"{self.url.database}: {error.strerror}") from error
        engine = create_engine(self.url, connect_args={"timeout": _WAIT_SECONDS})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_immediate)
        return engine

    def _prepare(self, connection: Connection) -> None:
        """Create the tables unless they exist, one process at a time."""
        if connection.dialect.name == "postgresql":
            connection.execute(select(_advisory_lock(_LOCK)))
        _METADATA.create_all(connection)
        numbers = set(connection.scalars(select(_LAYOUTS.c.number)))
        if not numbers:
            connection.execute(insert(_LAYOUTS).values(number=LAYOUT))
        elif numbers == {1}:
            self._upgrade(connection)
        elif numbers != {LAYOUT}:
            found = max(numbers)
            raise WatchStoreError(
                f"{self._name()} has layout {found}; this version reads layout {LAYOUT}"
            )

    def _upgrade(self, connection: Connection) -> None:
        """Add what layout 1 does not have: the markets of watches."""
        column = CreateColumn(WATCHES.c.market).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {WATCHES.name} ADD COLUMN {column}")
        connection.execute(update(_LAYOUTS).values(number=LAYOUT))

    def _name(self) -> str:
        return self.url.render_as_string(hide_password=True)

    def _failure(self, error: SQLAlchemyError) -> WatchStoreError:
        found = error.orig if isinstance(error, DBAPIError) else error
        cause = " ".join(str(found).split())
        return WatchStoreError(
            f"the watches in {self._name()} cannot be read or written: {cause}"
            f"{storage_remedy(cause)}"
        )


def _parsed(text: str) -> URL:
    """Return the address of a database. Raise SettingsError, without the password."""
    variable = PriceWatchSettings.variable("watches_url")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise SettingsError(
            f"{variable}: use postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:///PATH"
        ) from None
    backend = {"postgres": "postgresql"}.get(url.get_backend_name(), url.get_backend_name())
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and url.database:
        return url
    raise SettingsError(
        f"{variable}: {url.drivername!r} is not supported; use postgresql://... or sqlite:///PATH"
    )


def _advisory_lock(number: Any) -> Any:
    return func.pg_advisory_xact_lock(number)


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin as below, not as the driver would
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_immediate(connection: Connection) -> None:
    """Lock at the start: a transaction that reads and then writes never has to be repeated."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
