"""The embedded registry's database, made by real processes that meet or are killed."""

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from pokewatch.errors import RegistryError
from pokewatch.registry import Registry
from pokewatch.registry_database import ensure

_WHOLE_BYTES = 900_000  # the size of MLflow's empty database, or less

# MLflow is imported before the word is given, so that what a sweep measures is the making alone.
_MAKER = """
import sys
import mlflow.tracking, mlflow.store.tracking.sqlalchemy_store
from pokewatch.registry import Registry
print("ready", flush=True)
sys.stdin.readline()
registry = Registry()
registry.set_state(sys.argv[1], "kept")
with registry.client("the experiment cannot be read") as client:
    print(client.get_experiment_by_name("pokewatch").experiment_id, flush=True)
"""


def maker(name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _MAKER, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("\n")
    process.stdin.flush()


def grown(folder: Path, size: int, process: subprocess.Popen[str]) -> None:
    """Wait until the database being made, under whatever name, has a size; or until it is ready."""
    while process.poll() is None and max(map(_size, folder.glob("*mlflow.db*")), default=-1) < size:
        time.sleep(0.001)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def state(home: Path) -> str:
    """`none`, `half`, or `whole` once MLflow's schema and what PokeWatch keeps in it are there."""
    database = home / "mlflow" / "mlflow.db"
    if not database.exists():
        return "none"
    with closing(sqlite3.connect(database)) as connection:
        try:
            found = connection.execute("SELECT name FROM experiments").fetchall()
        except sqlite3.OperationalError:
            return "half"
    return "whole" if ("pokewatch",) in found else "half"


@pytest.mark.slow
def test_processes_that_make_it_at_once(home: Path) -> None:
    makers = [maker(f"process {at}") for at in range(4)]
    for process in makers:
        begin(process)
    said = [process.communicate(timeout=240)[0] for process in makers]
    assert [process.returncode for process in makers] == [0] * 4
    assert len(set(said)) == 1
    assert [Registry().get_state(f"process {at}") for at in range(4)] == ["kept"] * 4


@pytest.mark.slow
def test_killed_while_it_is_made(home: Path) -> None:
    """A kill at any point leaves no database or a whole one, and the next process makes it."""
    kills = 14
    makers = [maker("before") for _ in range(kills)]
    found = []
    for at, process in enumerate(makers):
        begin(process)
        grown(home / "mlflow", _WHOLE_BYTES * at // (kills - 1), process)
        process.kill()
        process.communicate()
        found.append(state(home))
    assert found[0] == "none"
    assert set(found) <= {"none", "whole"}
    after = maker("after")
    begin(after)
    after.communicate(timeout=240)
    assert (after.returncode, state(home), Registry().get_state("after")) == (0, "whole", "kept")
    assert [path.name for path in (home / "mlflow").iterdir() if ".new-" in path.name] == []


def unfinished(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE experiments (experiment_id INTEGER)")


@pytest.mark.parametrize("leave", [Path.touch, unfinished], ids=["empty", "first tables"])
def test_one_left_half_made_is_named(home: Path, leave: object) -> None:
    database = home / "mlflow" / "mlflow.db"
    database.parent.mkdir()
    assert callable(leave)
    leave(database)
    with pytest.raises(RegistryError, match=rf"{database} is incomplete.* move it away"):
        Registry().resolve()


def test_a_whole_one_is_left_alone(registry_home: Path) -> None:
    database = registry_home / "mlflow" / "mlflow.db"
    before = database.read_bytes()
    ensure(database, "pokewatch")
    assert database.read_bytes() == before


def test_only_the_making_of_it_is_not_flushed_statement_by_statement(home: Path) -> None:
    levels: dict[bool, set[int]] = {True: set(), False: set()}  # by whether it has its name

    def record(connection: Connection) -> None:
        sqlite = connection.connection.cursor()
        (_, _, path), *_ = sqlite.execute("PRAGMA database_list").fetchall()
        (level,) = sqlite.execute("PRAGMA synchronous").fetchone()
        levels[Path(path).name == "mlflow.db"].add(level)

    event.listen(Engine, "commit", record)
    try:
        Registry().set_state("first", "kept")
    finally:
        event.remove(Engine, "commit", record)
    off, full = 0, 2
    assert levels == {False: {off}, True: {full}}


def _with_book(registry: Registry, folder: Path, content: str) -> str:
    book = folder / content
    book.mkdir()
    (book / "manifest.json").write_text(content)
    run_id = registry.log_run(book, parameters={}, metrics={}, tags={"data_version": "0" * 32})
    return registry.register(run_id, content * 64).version


def _read_book(registry: Registry, version: str) -> str:
    return (registry.download_book(registry.version(version)) / "manifest.json").read_text()


@pytest.mark.parametrize("kept", [False, True], ids=["moved", "copied"])
def test_a_home_that_was_moved_or_copied_has_its_own_artifacts(
    registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    home = tmp_path / "50% of #1"
    shutil.copytree(registry_home, home / "first")
    monkeypatch.setenv("POKEWATCH_HOME", str(home / "first"))
    for content in "ab":
        _with_book(Registry(), tmp_path, content)
    lost = Registry().version("2").run_id
    shutil.copytree(home / "first", home / "second")
    shutil.rmtree(home / "second" / "mlflow" / "artifacts" / lost)
    if not kept:
        shutil.rmtree(home / "first" / "mlflow" / "artifacts" / Registry().version("1").run_id)

    monkeypatch.setenv("POKEWATCH_HOME", str(home / "second"))
    moved = Registry()
    assert _read_book(moved, "1") == "a"
    assert _read_book(moved, "2") == "b", "its artifacts are where they were"
    assert _read_book(moved, _with_book(moved, tmp_path, "c")) == "c"
    runs = {path.name for path in (home / "second" / "mlflow" / "artifacts").iterdir()}
    assert runs == {moved.version(version).run_id for version in ("1", "3")}


def test_another_name_of_a_home_is_no_move(
    registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_book(Registry(), tmp_path, "a")
    link = tmp_path / "link"
    link.symlink_to(registry_home)
    monkeypatch.setenv("POKEWATCH_HOME", str(link))
    assert _read_book(Registry(), "1") == "a"
    with closing(sqlite3.connect(link / "mlflow" / "mlflow.db")) as connection:
        (address,) = connection.execute("SELECT artifact_uri FROM runs").fetchone()
    assert address.startswith((registry_home / "mlflow").as_uri())


def test_artifacts_that_were_not_moved_stay_where_they_are(
    registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_book(Registry(), tmp_path, "a")
    shutil.copy(registry_home / "mlflow" / "mlflow.db", tmp_path / "mlflow.db")
    monkeypatch.setenv("POKEWATCH_MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    assert _read_book(Registry(), "1") == "a"
