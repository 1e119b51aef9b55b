"""Databases of watches, SQLite and PostgreSQL, and a receiver of webhooks."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.engine import make_url

from pokewatch.watches.database import WatchDatabase
from pokewatch.watches.outbox import Outbox
from pokewatch.watches.store import WatchStore
from tests.certificates import write_certificate
from tests.postgres import running as running_postgres
from tests.watches.receiver import NAME, Receiver, receiving


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 1_767_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with running_postgres("watches") as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/watches.sqlite"
    url = make_url(request.getfixturevalue("postgres"))
    name = f"watches_{uuid4().hex}"
    with psycopg.connect(
        host=url.host, port=url.port, user=url.username, dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return url.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def database(database_url: str) -> Iterator[WatchDatabase]:
    found = WatchDatabase(make_url(database_url))
    yield found
    found.close()


@pytest.fixture
def store(database: WatchDatabase, clock: Clock) -> WatchStore:
    return WatchStore(database, per_owner=3, clock=clock)


@pytest.fixture
def outbox(database: WatchDatabase, clock: Clock) -> Outbox:
    return Outbox(database, clock, jitter=lambda: 0.5)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "receiver.pem", NAME, "localhost")


@pytest.fixture
def receiver(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver whose certificate this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with receiving(certificate) as found:
        yield found
