"""The SQLite database of a registry without a server, made whole or not at all.

MLflow makes its schema in some sixty migrations, which take seconds; two processes at it at once, or one
that is killed, leave a database that no MLflow opens again. Here one process makes it under another name and
renames it; the others wait.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pokewatch.errors import RegistryError

_ALIASED = """
    SELECT version, run_id FROM model_versions JOIN registered_model_aliases USING (name, version)
    WHERE name = ? AND alias = ? AND current_stage != 'Deleted_Internal'
"""
_TAGS = "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?"
_MADE_WITH = "SELECT count(*) FROM alembic_version"
_EXPERIMENTS = (
    "SELECT count(*) FROM experiments"  # MLflow adds its first one when the schema is complete
)


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A model version as MLflow stores it."""

    version: str
    run_id: str
    tags: dict[str, str]


def read_alias(database: Path, model: str, alias: str) -> StoredVersion | None:
    """Return the version that an alias points to, without the seconds that importing MLflow takes.

    Return None if there is none or the tables cannot be read: the caller then asks MLflow.
    """
    uri = f"file:{quote(str(database))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.execute("BEGIN")  # both queries see one state of the database
            found = connection.execute(_ALIASED, (model, alias)).fetchall()
            if len(found) != 1:
                return None
            version, run_id = found[0]
            tags = dict(connection.execute(_TAGS, (model, version)).fetchall())
    except sqlite3.Error:
        return None
    return StoredVersion(str(version), str(run_id), tags)


def ensure(database: Path, experiment: str) -> None:
    """Make the database, with the experiment in it, unless it is there.

    Raise RegistryError for one that was left half-made.
    """
    if not database.exists():
        database.parent.mkdir(parents=True, exist_ok=True)
        with _alone(database):
            if not database.exists():
                _make(database, experiment)
    _check(database)


def artifacts_of(database: Path) -> str:
    """Return the address of the folder in which the runs of a database keep their artifacts."""
    return (database.parent / "artifacts").as_uri()


@contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Hold the lock for making the database. It ends with this process, however that ends."""
    with database.with_name(f".{database.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(database: Path, experiment: str) -> None:
    from mlflow.tracking import MlflowClient

    for abandoned in database.parent.glob(f".{database.name}.new-*"):
        abandoned.unlink(missing_ok=True)
    scratch = database.with_name(f".{database.name}.new-{os.getpid()}")
    address = f"sqlite:///{quote(str(scratch))}"
    client = MlflowClient(tracking_uri=address, registry_uri=address)
    client.create_experiment(experiment, artifact_location=artifacts_of(database))
    client.search_registered_models(max_results=1)
    _sync(scratch)
    scratch.replace(database)
    _sync(database.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(database: Path) -> None:
    try:
        with closing(sqlite3.connect(database)) as connection:
            whole = all(
                connection.execute(count).fetchone()[0] for count in (_MADE_WITH, _EXPERIMENTS)
            )
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        whole = False
    if not whole:
        raise RegistryError(
            f"the registry's database {database} is incomplete: making it was interrupted, and it holds no run; "
            "move it away, and the next run makes a new one"
        )
