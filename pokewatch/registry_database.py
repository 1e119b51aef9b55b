"""The SQLite database of a registry without a server, created atomically.

MLflow creates its schema in some sixty migrations, which take seconds; two processes at once, or
one that is killed, leave a database that MLflow cannot open again. Here one process creates it
under another name and renames it, while the others wait.
"""

import fcntl
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from pokewatch.atomic_file import sync
from pokewatch.errors import RegistryError

_ALIASED = """
    SELECT version, run_id FROM model_versions JOIN registered_model_aliases USING (name, version)
    WHERE name = ? AND alias = ? AND current_stage != 'Deleted_Internal'
"""
_MODELS = "SELECT name FROM registered_model_aliases WHERE alias = ? ORDER BY name"
_MODEL_TAG = "SELECT value FROM registered_model_tags WHERE name = ? AND key = ?"
_TAGS = "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?"
# MLflow stores its prompts as registered models, and does not list them as such.
_MODELS_OF_ALL = """
    SELECT name FROM registered_models AS models WHERE NOT EXISTS (
        SELECT 1 FROM registered_model_tags AS tags
        WHERE tags.name = models.name AND key = 'mlflow.prompt.is_prompt' AND value = 'true'
    ) ORDER BY name
"""
_VERSIONS = """
    SELECT name, version, run_id, creation_time, EXISTS (
        SELECT 1 FROM registered_model_aliases AS aliases
        WHERE aliases.name = versions.name AND aliases.version = versions.version
    ) FROM model_versions AS versions
    WHERE current_stage != 'Deleted_Internal' ORDER BY name, version DESC
"""
_TAGS_OF_ALL = "SELECT name, version, key, value FROM model_version_tags"
_MIGRATIONS = "SELECT count(*) FROM alembic_version"
# MLflow adds its first experiment once the schema is complete.
_EXPERIMENTS = "SELECT count(*) FROM experiments"

_LOCATIONS = "SELECT DISTINCT artifact_location FROM experiments WHERE artifact_location NOT NULL"
_RUNS_AT = "SELECT run_uuid FROM runs WHERE substr(artifact_uri, 1, length(?)) = ?"
_MOVE_EXPERIMENTS = "UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?"
_MOVES = (
    "UPDATE runs SET artifact_uri = replace(artifact_uri, :former, :here) WHERE run_uuid = :run",
    "UPDATE model_versions SET source = replace(source, :former, :here), "
    "storage_location = replace(storage_location, :former, :here) WHERE run_id = :run",
)


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A model version as MLflow stores it."""

    version: str
    run_id: str
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class ListedVersion(StoredVersion):
    """A version of the registered model `model`, and whether it has an alias on any branch."""

    model: str
    created: datetime
    aliased: bool


def read_alias(database: Path, model: str, alias: str) -> StoredVersion | None:
    """Return the version that an alias points to, without the seconds that importing MLflow takes.

    Return None if there is none or the tables cannot be read: the caller then asks MLflow.
    """
    try:
        with _one_state(database) as connection:
            found = connection.execute(_ALIASED, (model, alias)).fetchall()
            if len(found) != 1:
                return None
            version, run_id = found[0]
            tags = dict(connection.execute(_TAGS, (model, version)).fetchall())
    except sqlite3.Error:
        return None
    return StoredVersion(str(version), str(run_id), tags)


def read_aliased(database: Path, alias: str) -> list[str] | None:
    """Return the names of the models that have an alias, in order.

    Return None if the tables cannot be read.
    """
    found = _rows(database, _MODELS, alias)
    return None if found is None else [name for (name,) in found]


def read_versions(database: Path) -> dict[str, list[ListedVersion]] | None:
    """Return all versions of each registered model, newest first, without importing MLflow.

    Return None if the tables cannot be read, or hold models of one name in several workspaces.
    """
    try:
        with _one_state(database) as connection:
            names = connection.execute(_MODELS_OF_ALL).fetchall()
            versions = connection.execute(_VERSIONS).fetchall()
            tags = connection.execute(_TAGS_OF_ALL).fetchall()
    except sqlite3.Error:
        return None
    tags_of: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for name, version, key, value in tags:
        tags_of[name, version][key] = value
    found: dict[str, list[ListedVersion]] = {name: [] for (name,) in names}
    if len(found) < len(names):
        return None
    for name, version, run_id, milliseconds, aliased in versions:
        if name not in found:
            continue
        created = datetime.fromtimestamp(milliseconds / 1000, UTC)
        own = tags_of[name, version]
        found[name].append(
            ListedVersion(str(version), str(run_id), own, name, created, aliased=bool(aliased))
        )
    return found


def read_model_tag(database: Path, model: str, name: str) -> str | None:
    """Return a tag of a registered model, "" if it has none, None if the tables cannot be read."""
    found = _rows(database, _MODEL_TAG, model, name)
    if found is None:
        return None
    return str(found[0][0]) if found else ""


@contextmanager
def _one_state(database: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection whose queries all see one state of the database."""
    uri = f"file:{quote(str(database))}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.execute("BEGIN")
        yield connection


def _rows(database: Path, query: str, *values: str) -> list[tuple[str, ...]] | None:
    """Return the rows of a query, None if the tables cannot be read."""
    try:
        with _one_state(database) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error:
        return None


def ensure(database: Path, experiment: str) -> None:
    """Create the database, with the experiment in it, unless it exists.

    One that was moved or copied with its artifacts refers to those beside it afterwards. Raise
    RegistryError where it is incomplete.
    """
    if not database.exists():
        database.parent.mkdir(parents=True, exist_ok=True)
        with _locked(database):
            if not database.exists():
                _create(database, experiment)
    _check(database)
    _follow_move(database)


def artifacts_of(database: Path) -> str:
    """Return the address of the folder for the artifacts of the database's runs."""
    return (database.parent / "artifacts").as_uri()


def _follow_move(database: Path) -> None:
    """Replace the addresses of artifacts, which MLflow stores with their folder, after a move.

    Those of runs whose artifacts are not beside the database stay.
    """
    here = database.parent / "artifacts"
    with closing(sqlite3.connect(database)) as connection:
        stored = [address for (address,) in connection.execute(_LOCATIONS)]
        for former in filter(_is_of_a_database, stored):
            if here.is_dir() and not _is_same(here, former):
                _move_addresses(connection, former, here)


def _is_of_a_database(address: str) -> bool:
    """Return whether an address has the form of `artifacts_of`."""
    return address.startswith("file:///") and address.endswith("/artifacts")


def _is_same(folder: Path, address: str) -> bool:
    try:
        return folder.samefile(unquote(urlsplit(address).path))
    except OSError:
        return False


def _move_addresses(connection: sqlite3.Connection, former: str, here: Path) -> None:
    begin = f"{former}/"
    found = connection.execute(_RUNS_AT, (begin, begin)).fetchall()
    moved = [run for (run,) in found if (here / run).is_dir()]
    with suppress(sqlite3.OperationalError), connection:  # on a read-only disk they stay
        for update in _MOVES:
            values = {"former": former, "here": here.as_uri()}
            connection.executemany(update, [values | {"run": run} for run in moved])
        connection.execute(_MOVE_EXPERIMENTS, (here.as_uri(), former))


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    """Hold the lock for creating the database; the kernel releases it if the process dies."""
    with database.with_name(f".{database.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _create(database: Path, experiment: str) -> None:
    from mlflow.tracking import MlflowClient

    for abandoned in database.parent.glob(f".{database.name}.new-*"):
        abandoned.unlink(missing_ok=True)
    scratch = database.with_name(f".{database.name}.new-{os.getpid()}")
    address = f"sqlite:///{quote(str(scratch))}"
    with _unsynced(scratch):
        client = MlflowClient(tracking_uri=address, registry_uri=address)
        client.create_experiment(experiment, artifact_location=artifacts_of(database))
        client.search_registered_models(max_results=1)
    sync(scratch)
    scratch.replace(database)
    sync(database.parent)


@contextmanager
def _unsynced(database: Path) -> Iterator[None]:
    """Let SQLite leave it to the caller to flush a new database, once instead of at each statement.

    A database that a crash leaves incomplete is not used: it has no name yet.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def set_pragma(connection: sqlite3.Connection, _: object) -> None:
        (_, _, path), *_ = connection.execute("PRAGMA database_list").fetchall()
        if Path(path) == database.resolve():
            connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", set_pragma)
    try:
        yield
    finally:
        event.remove(Engine, "connect", set_pragma)


def _check(database: Path) -> None:
    try:
        with closing(sqlite3.connect(database)) as connection:
            complete = all(
                connection.execute(count).fetchone()[0] for count in (_MIGRATIONS, _EXPERIMENTS)
            )
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        complete = False
    if not complete:
        raise RegistryError(
            f"the registry's database {database} is incomplete: its creation was interrupted, "
            "and it holds no run; move it away, and the next run creates a new one"
        )
