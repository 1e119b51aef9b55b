import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from pokewatch.errors import SettingsError, WatchStoreError
from pokewatch.settings import Home
from pokewatch.watches.conditions import Condition
from pokewatch.watches.database import WatchDatabase
from pokewatch.watches.outbox import Outbox
from pokewatch.watches.store import LOCAL, NewWatch, WatchStore


def test_the_default_is_a_private_file_in_the_home(home: Path) -> None:
    database = WatchDatabase.configured()
    with database.transaction():
        pass
    assert stat.S_IMODE(Home.read().watches.stat().st_mode) == 0o600
    database.close()


def test_reading_creates_no_file(home: Path) -> None:
    database = WatchDatabase.configured()
    outbox = Outbox(database)
    assert WatchStore(database).list() == []
    assert outbox.newest() == outbox.failures(LOCAL) == []
    assert outbox.failed_since(60) == 0
    assert not Home.read().watches.exists()


def test_a_file_that_cannot_be_looked_for_is_an_error(tmp_path: Path) -> None:
    database = WatchDatabase(make_url(f"sqlite:///{tmp_path}/{'x' * 300}"))
    with pytest.raises(WatchStoreError, match="File name too long"):
        WatchStore(database).list()


@pytest.mark.parametrize(
    ("address", "driver"),
    [
        ("postgresql://me:secret@db/watches", "postgresql+psycopg"),
        ("postgres://me:secret@db/watches", "postgresql+psycopg"),
        ("postgresql+psycopg2://me:secret@db/watches", "postgresql+psycopg"),
        ("sqlite:////srv/watches.sqlite", "sqlite"),
    ],
)
def test_addresses_of_the_settings(
    home: Path, monkeypatch: pytest.MonkeyPatch, address: str, driver: str
) -> None:
    monkeypatch.setenv("POKEWATCH_WATCHES_URL", address)
    assert WatchDatabase.configured().url.drivername == driver


@pytest.mark.parametrize(
    "address",
    ["mysql://me:secret@db/watches", "secret", "sqlite://", "postgresql://u:secret@h:x/d"],
)
def test_other_addresses_are_refused_without_their_secrets(
    home: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("POKEWATCH_WATCHES_URL", address)
    with pytest.raises(SettingsError, match=r"POKEWATCH_WATCHES_URL: .*postgresql://") as error:
        WatchDatabase.configured()
    assert "secret" not in str(error.value)


def test_a_server_that_is_not_there_is_an_error_without_the_password() -> None:
    database = WatchDatabase(make_url("postgresql+psycopg://me:s3cret@127.0.0.1:1/watches"))
    with pytest.raises(WatchStoreError, match="cannot be read or written") as error:
        WatchStore(database).list()
    assert "s3cret" not in str(error.value)
    database.close()


def test_the_folder_of_a_file_elsewhere_keeps_its_permissions(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o755)
    for each in (folder, tmp_path / "new"):
        database = WatchDatabase(make_url(f"sqlite:///{each}/watches.sqlite"))
        with database.transaction():
            pass
        database.close()
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("shared", "new")}
    assert modes == {"shared": 0o755, "new": 0o700}


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "watches.sqlite").write_text("not a database at all, but some other text" * 100)
    database = WatchDatabase(make_url(f"sqlite:///{tmp_path}/watches.sqlite"))
    with pytest.raises(WatchStoreError, match="file is not a database"):
        WatchStore(database).list()


def test_another_layout_is_refused(database: WatchDatabase) -> None:
    WatchStore(database).list()
    with database.transaction() as connection:
        connection.execute(text("UPDATE watch_layout SET number = 3"))
    later = WatchDatabase(database.url)
    with pytest.raises(WatchStoreError, match="has layout 3; this version reads layout 2"):
        WatchStore(later).list()
    later.close()


def test_watches_of_the_first_layout_are_kept(database: WatchDatabase) -> None:
    watch = WatchStore(database).create(LOCAL, NewWatch("a", "a", Condition("below", 1.0), "USD"))
    with database.transaction() as connection:
        connection.execute(text("ALTER TABLE watches DROP COLUMN market"))
        connection.execute(text("UPDATE watch_layout SET number = 1"))
    for _ in range(2):
        later = WatchDatabase(database.url)
        assert WatchStore(later).list() == [replace(watch, secret=None)]
        later.close()


def test_processes_that_start_at_once_create_the_tables_once(database_url: str) -> None:
    barrier, failures = threading.Barrier(8), []

    def start() -> None:
        database = WatchDatabase(make_url(database_url))
        barrier.wait()
        try:
            WatchStore(database).list()
        except WatchStoreError as error:
            failures.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
