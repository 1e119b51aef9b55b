"""The registry against a real MLflow on SQLite."""

import errno
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from pokewatch.errors import BookError, NoChampionError, RegistryError
from pokewatch.registry import CHAMPION, Registry
from pokewatch.registry_database import StoredVersion, read_alias
from pokewatch.settings import Home, RegistrySettings
from tests.serving.books import make_book

DATA_VERSION = "d" * 32


@pytest.fixture
def book(tmp_path: Path) -> Path:
    folder = tmp_path / "book"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    return folder


def log(registry: Registry, book: Path, **tags: str) -> str:
    return registry.log_run(
        book,
        parameters={"model": "median7", "horizon": 7},
        metrics={"mape": 1.5},
        tags={"data_version": DATA_VERSION, "git_commit": "abc"} | tags,
        documents={"evaluation.json": {"mape": 1.5}},
    )


def test_nothing_is_champion_at_first_and_nothing_is_made(home: Path) -> None:
    with pytest.raises(NoChampionError, match="run the pipeline first"):
        Registry().resolve()
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(("market", "option"), [("", ""), ("file-mine", " --market file-mine")])
def test_the_first_run_is_named_with_its_market(home: Path, market: str, option: str) -> None:
    with pytest.raises(NoChampionError) as caught:
        Registry(RegistrySettings.read(market=market)).resolve()
    assert str(caught.value).endswith(f"run the pipeline first (pokewatch pipeline run{option})")


def test_from_alias_back_to_run_data_and_book(registry_home: Path, book: Path) -> None:
    registry = Registry()
    run_id = log(registry, book)
    with pytest.raises(NoChampionError):
        registry.resolve(CHAMPION)
    registered = registry.register(run_id, "b" * 64)
    registry.set_alias(CHAMPION, registered.version)

    champion = Registry().resolve(CHAMPION)
    assert champion == registered
    assert (champion.version, champion.run_id, champion.data_version) == ("1", run_id, DATA_VERSION)
    assert champion.tags["git_commit"] == "abc"
    assert Registry().document(champion, "evaluation.json") == {"mape": 1.5}


def test_a_book_is_fetched_once_and_whole(registry_home: Path, book: Path) -> None:
    registry = Registry()
    model = registry.register(log(registry, book), "b" * 64)
    folder = registry.download_book(model)
    assert folder == Home.read().books / ("b" * 64)
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]
    (folder / "mark").touch()
    assert (registry.download_book(model) / "mark").exists()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_why_a_book_cannot_be_fetched_is_reported_in_one_line(
    registry_home: Path, book: Path
) -> None:
    registry = Registry()
    (book / "fair.arrow").write_bytes(bytes(1_000_000))
    model = registry.register(log(registry, book), "b" * 64)
    largest, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, most))  # as a full disk does
    try:
        with pytest.raises(
            RegistryError, match=r": book/fair\.arrow: .*File too large.*$"
        ) as found:
            registry.download_book(model)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, most))
    assert "\n" not in str(found.value)
    assert list(Home.read().books.iterdir()) == []
    registry.download_book(model)


def test_a_book_that_is_gone_from_the_registry_is_named(registry_home: Path, book: Path) -> None:
    registry = Registry()
    model = registry.register(log(registry, book), "b" * 64)
    (artifact,) = registry_home.glob("**/artifacts/book")
    shutil.rmtree(artifact)
    with pytest.raises(RegistryError, match=r"model version 1 .*No such artifact: 'book'$"):
        registry.download_book(model)


def test_a_book_on_a_read_only_disk_is_read(
    registry_home: Path, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry()
    model = registry.register(log(registry, book), "b" * 64)
    folder = registry.download_book(model)

    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "utime", read_only)
    monkeypatch.setattr("pokewatch.registry.prune", read_only)
    assert registry.download_book(model) == folder


@pytest.mark.parametrize("outside", ["{home}/keep", "../keep", "b" * 64 + "/../../keep"])
def test_a_tag_is_no_path(registry_home: Path, book: Path, outside: str) -> None:
    """A tag that names a folder is refused, and neither it nor what is beside it is touched."""
    registry = Registry()
    run_id = log(registry, book)
    kept = registry_home / "keep" / "file"
    kept.parent.mkdir()
    kept.touch()
    with pytest.raises(RegistryError, match="is not 64 hexadecimal digits"):
        registry.register(run_id, outside.format(home=registry_home))
    version = registry.register(run_id, "b" * 64).version
    registry.set_tag(version, "digest", outside.format(home=registry_home))
    registry.set_alias(CHAMPION, version)
    for ask in (registry.resolve, registry.versions, lambda: registry.version(version)):
        with pytest.raises(RegistryError, match="which is not 64 hexadecimal digits"):
            ask()
    assert kept.exists()
    assert sorted(path.name for path in registry_home.iterdir()) == ["keep", "mlflow"]


def test_a_link_among_the_books_is_not_followed(
    registry_home: Path, book: Path, tmp_path: Path
) -> None:
    registry = Registry()
    model = registry.register(log(registry, book), "b" * 64)
    outside = tmp_path / "outside"
    outside.mkdir()
    Home.read().books.mkdir()
    (Home.read().books / model.digest).symlink_to(outside)
    folder = registry.download_book(model)
    assert (folder.is_symlink(), (folder / "manifest.json").exists()) == (False, True)
    assert list(outside.iterdir()) == []


def test_a_damaged_copy_is_fetched_again(registry_home: Path, tmp_path: Path) -> None:
    registry = Registry()
    digest = make_book(tmp_path / "made")
    model = registry.register(log(registry, tmp_path / "made"), digest)
    registry.open_book(model)
    copy = Home.read().books / digest
    os.truncate(copy / "fair.arrow", 100)
    assert registry.open_book(model).digest == digest
    assert (copy.stat().st_mode & 0o777, (copy / "fair.arrow").stat().st_mode & 0o777) == (
        0o555,
        0o444,
    )

    kept = (
        registry_home / "mlflow" / "artifacts" / model.run_id / "artifacts" / "book" / "fair.arrow"
    )
    os.truncate(kept, 100)
    os.truncate(copy / "fair.arrow", 100)
    with pytest.raises(BookError, match=r"fair\.arrow is damaged"):
        registry.open_book(model)


def test_the_books_asked_for_last_stay_and_others_can_be_fetched_again(
    registry_home: Path, book: Path
) -> None:
    registry = Registry(RegistrySettings(books_kept=3))
    run_id = log(registry, book)
    models = [registry.register(run_id, letter * 64) for letter in "abcd"]
    folders = [registry.download_book(model) for model in models[:3]]
    for age, folder in enumerate(reversed(folders)):
        os.utime(folder, (1_000_000 - age, 1_000_000 - age))
    registry.download_book(models[0])
    newest = registry.download_book(models[3])
    assert sorted(folders[0].parent.iterdir()) == sorted([folders[0], folders[2], newest])
    assert (registry.download_book(models[1]) / "manifest.json").exists()
    assert not folders[2].exists()


def test_a_book_stays_beside_those_used_while_the_clock_was_ahead(
    registry_home: Path, book: Path
) -> None:
    registry = Registry(RegistrySettings(books_kept=3))
    run_id = log(registry, book)
    models = [registry.register(run_id, letter * 64) for letter in "abcde"]
    ahead = time.time() + 86_400
    for model in models[:3]:
        os.utime(registry.download_book(model), (ahead, ahead))
    for model in models[3:]:
        assert (registry.download_book(model) / "manifest.json").exists()
    assert len(list(Home.read().books.iterdir())) == 3


def test_aliases_are_moved_and_deleted(registry_home: Path, book: Path) -> None:
    registry = Registry()
    first, second = (registry.register(log(registry, book), "b" * 64) for _ in range(2))
    assert (first.version, second.version) == ("1", "2")
    registry.set_alias(CHAMPION, second.version)
    registry.set_alias(CHAMPION, first.version)
    assert registry.resolve(CHAMPION) == first
    registry.delete_alias(CHAMPION)
    with pytest.raises(NoChampionError):
        registry.resolve(CHAMPION)


def test_a_foreign_version_is_refused(registry_home: Path, book: Path) -> None:
    registry = Registry()
    run_id = registry.log_run(book, parameters={}, metrics={}, tags={})
    with pytest.raises(RegistryError, match="no tag 'data_version'"):
        registry.register(run_id, "b" * 64)


def test_a_missing_version_is_named(registry_home: Path, book: Path) -> None:
    registry = Registry()
    registry.register(log(registry, book), "b" * 64)
    with pytest.raises(RegistryError, match="'7'"):
        registry.version("7")


def test_an_unreachable_registry_is_reported_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    settings = RegistrySettings(MLFLOW_TRACKING_URI="http://user:secret@127.0.0.1:9")
    with pytest.raises(RegistryError, match=r"http://127\.0\.0\.1:9") as caught:
        Registry(settings).resolve()
    assert "user:secret" not in str(caught.value)


ROOM = "database or disk is full; free some space"
RIGHTS = "attempt to write a readonly database; make the file and its folder writable by this user"


@pytest.mark.parametrize(
    ("pragma", "cause"), [("max_page_count = 1", ROOM), ("query_only = ON", RIGHTS)]
)
def test_a_database_that_cannot_be_written_is_one_line(
    registry_home: Path, book: Path, capfd: pytest.CaptureFixture[str], pragma: str, cause: str
) -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    registry = Registry()
    log(registry, book)
    capfd.readouterr()

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA {pragma}")

    def fill() -> None:
        for number in range(50):  # the database has some room
            registry.set_state(f"state.{number}", "x" * 4_000)

    event.listen(Engine, "checkout", limit)
    try:
        with pytest.raises(RegistryError) as caught:
            fill()
    finally:
        event.remove(Engine, "checkout", limit)
    address = f"sqlite:///{registry_home}/mlflow/mlflow.db"
    assert str(caught.value).endswith(f" cannot be written at {address}: {cause}")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.integration
def test_a_registry_server_is_asked_without_alembic() -> None:
    """The image that serves has no Alembic."""
    code = (
        "import sys; sys.modules['alembic'] = None\n"
        "from pokewatch.registry import Registry; Registry().resolve()"
    )
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    process = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert "No module named" not in process.stderr
    assert "port=9" in process.stderr


def test_state_is_stored_under_a_name(registry_home: Path) -> None:
    registry = Registry()
    assert registry.get_state("market_changed") == ""
    registry.set_state("market_changed", "2026-01-02")
    registry.set_state("market_changed", "2026-01-31")
    assert Registry().get_state("market_changed") == "2026-01-31"
    assert Registry().get_state("something else") == ""


def test_an_alias_is_read_as_mlflow_reads_it(registry_home: Path, book: Path) -> None:
    registry = Registry()
    database = registry_home / "mlflow" / "mlflow.db"
    assert read_alias(database, "pokewatch", CHAMPION) is None
    for digest in ("a", "b"):
        registry.register(log(registry, book, note=f"{digest}: “ü”"), digest * 64)
    for version in ("2", "1"):
        registry.set_alias(CHAMPION, version)
        registry.set_tag(version, "deployed_at", "now")
        with registry.client("the champion") as client:
            expected = client.get_model_version_by_alias("pokewatch", CHAMPION)
        stored = read_alias(database, "pokewatch", CHAMPION)
        assert stored == StoredVersion(str(expected.version), expected.run_id, expected.tags)
    registry.delete_alias(CHAMPION)
    assert read_alias(database, "pokewatch", CHAMPION) is None


def test_a_database_with_other_tables_is_left_to_mlflow(registry_home: Path, book: Path) -> None:
    registry = Registry()
    registry.set_alias(CHAMPION, registry.register(log(registry, book), "b" * 64).version)
    database = registry_home / "mlflow" / "mlflow.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("ALTER TABLE model_version_tags RENAME TO other_tags")
    assert read_alias(database, "pokewatch", CHAMPION) is None
    assert read_alias(database.with_name("missing.db"), "pokewatch", CHAMPION) is None


def test_the_champion_of_an_embedded_registry_is_found_without_mlflow(
    registry_home: Path, book: Path
) -> None:
    registry = Registry()
    registry.set_alias(CHAMPION, registry.register(log(registry, book), "b" * 64).version)
    code = "import sys; from pokewatch.registry import Registry; Registry().resolve(); "
    code += "sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.integration
def test_mlflow_reports_no_use_of_it(registry_home: Path, tmp_path: Path) -> None:
    code = """
from pokewatch.registry import Registry
with Registry().client("it cannot be asked") as client:
    client.search_experiments()
"""
    # Without the variables by which MLflow recognizes a test, which it does not report.
    environment = {"POKEWATCH_HOME": str(registry_home), "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []  # else the id that it gives to an installation


def test_a_registry_that_may_not_be_read_is_a_registry_error(
    registry_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(RegistryError, match=r"the registry cannot be read: .*mlflow\.db"):
        Registry().resolve()


def test_a_locked_registry_is_not_one_without_markets(
    registry_home: Path, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, timeout=0.1))
    registry = Registry()
    registry.set_alias(CHAMPION, registry.register(log(registry, book), "ab" * 32).version)
    with closing(sqlite3.connect(registry_home / "mlflow" / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RegistryError, match="database is locked"):
            Registry().markets()
    assert Registry().markets() == [""]
