"""Which price books are kept, and their removal from a real registry."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pokewatch.deploy.records import DeployRecords
from pokewatch.deploy.rollout import deploy
from pokewatch.errors import DeployError, RegistryError
from pokewatch.registry import BOOK_REMOVED, CHAMPION, DEPLOYED_AT, DIGEST, Registry
from pokewatch.registry_client import RegistryClient
from pokewatch.registry_database import ListedVersion
from pokewatch.registry_records import RegistryRecords
from pokewatch.retention.model_books import (
    registered_books,
    remove_book,
    unused_books,
)
from pokewatch.retention.tidy import tidy
from pokewatch.settings import RegistrySettings

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC)
KEEP = timedelta(days=60)


def version(number: int, age: int, *, served: bool = False, aliased: bool = False) -> ListedVersion:
    tags = {DIGEST: str(number) * 64} | ({DEPLOYED_AT: "then"} if served else {})
    return ListedVersion(
        str(number), "r", tags, "pokewatch", NOW - timedelta(days=age), aliased=aliased
    )


def test_served_aliased_and_new_books_are_kept() -> None:
    newest = [version(number, 400) for number in (9, 8, 7)]
    kept = [
        version(6, 400, served=True, aliased=True),
        version(5, 400, aliased=True),
        version(4, 59, served=True),
        version(3, 6),
    ]
    unused = [version(2, 61, served=True), version(1, 8)]
    assert unused_books([*newest, *kept, *unused], NOW, KEEP) == unused
    assert unused_books([], NOW, KEEP) == []


@pytest.fixture
def registry(registry_home: Path, tmp_path: Path) -> Registry:
    """Versions 1 to 5, of which 1 is the champion of another branch."""
    found = Registry()
    for number in range(1, 6):
        book = tmp_path / str(number)
        book.mkdir()
        (book / "manifest.json").write_text("x" * 1_000 * number)
        run_id = found.log_run(
            book,
            parameters={},
            metrics={"mape": 1.0},
            tags={"data_version": str(number) * 32},
            documents={"evaluation.json": {"mape": 1.0}},
        )
        found.register(run_id, str(number) * 64)
    found.set_alias(f"{CHAMPION}--test-mine", "1")
    return found


def test_a_removed_book_leaves_its_figures_and_is_not_deployed(registry: Registry) -> None:
    later = NOW + timedelta(days=100)
    books = registered_books(registry)["pokewatch"]
    (unused,) = unused_books(books, later, KEEP)
    assert unused.version == "2"
    assert remove_book(registry, unused, later, dry_run=True) == 2_000
    registry.download_book(registry.version("2"))

    assert remove_book(registry, unused, later, dry_run=False) == 2_000
    removed = registry.version("2")
    assert removed.tags[BOOK_REMOVED] == later.date().isoformat()
    assert registry.document(removed, "evaluation.json") == {"mape": 1.0}
    assert [book.version for book in registered_books(registry)["pokewatch"]] == [
        "5",
        "4",
        "3",
        "1",
    ]
    with pytest.raises(DeployError, match="book of version 2 was removed by pokewatch tidy"):
        deploy(registry, "2", [])
    for kept in ("1", "3", "4", "5"):
        registry.download_book(registry.version(kept))


def test_records_of_deploys_have_no_book(registry: Registry) -> None:
    for _ in range(5):
        DeployRecords(registry).create("deploy", "1")
    found = list(tidy(now=NOW + timedelta(days=100)))
    assert [(each.name, each.fault) for each in found] == [("price book of model version 2", "")]


def test_a_book_that_cannot_be_removed_stops_no_other(
    registry: Registry, registry_home: Path
) -> None:
    registry.set_alias("previous", "3")
    registry.delete_alias(f"{CHAMPION}--test-mine")
    lost = registry.version("2").run_id
    with closing(sqlite3.connect(registry_home / "mlflow" / "mlflow.db")) as connection:
        for table in ("tags", "metrics", "latest_metrics", "runs"):
            connection.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (lost,))
        connection.commit()
    found = list(tidy(now=NOW + timedelta(days=100)))
    assert [(each.name, f"Run with id={lost} not found" in each.fault) for each in found] == [
        ("price book of model version 2", True),
        ("price book of model version 1", False),
    ]
    assert BOOK_REMOVED in registry.version("1").tags


def test_a_removal_that_was_interrupted_is_completed(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    def killed(*_: object) -> None:
        raise OSError("killed")

    (unused,) = unused_books(
        registered_books(registry)["pokewatch"], NOW + timedelta(days=100), KEEP
    )
    with monkeypatch.context() as patch:
        patch.setattr(LocalArtifactRepository, "delete_artifacts", killed)
        with pytest.raises(
            RegistryError, match="the book of version 2 of pokewatch cannot be removed"
        ):
            remove_book(registry, unused, NOW, dry_run=False)
    with pytest.raises(DeployError, match="was removed by pokewatch tidy"):
        deploy(registry, "2", [])
    (again,) = unused_books(
        registered_books(registry)["pokewatch"], NOW + timedelta(days=100), KEEP
    )
    assert remove_book(registry, again, NOW, dry_run=False) == 2_000
    assert registry.version("2").tags[BOOK_REMOVED] == NOW.date().isoformat()


def test_the_list_is_the_same_with_and_without_mlflow(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.set_state("a state", "of the model")
    RegistryRecords(registry, "deploy").create({"tag": "of a record"})
    with registry.client("a version cannot be deleted") as client:
        client.delete_model_version(registry.name, "4")
        client.create_registered_model("of others")
        client.create_model_version("of others", "file:///nowhere")  # of no run
        client.register_prompt("pokewatch-prompt", "a template")
    without = registered_books(registry)
    monkeypatch.setattr(RegistryClient, "stored_versions", lambda _: None)
    assert registered_books(registry) == without
    assert [book.version for book in without["pokewatch"]] == ["5", "3", "2", "1"]
    assert [book.aliased for book in without["pokewatch"]] == [False, False, False, True]
    assert [book.version for book in without["of others"]] == ["1"]
    assert "pokewatch-prompt" not in without


def test_mlflow_tells_of_models_of_one_name_in_several_workspaces(
    registry: Registry, registry_home: Path
) -> None:
    client = RegistryClient(RegistrySettings.read())
    assert client.stored_versions() is not None
    with closing(sqlite3.connect(registry_home / "mlflow" / "mlflow.db")) as connection:
        connection.execute(
            "INSERT INTO registered_models (name, workspace) VALUES (?, 'another')",
            (registry.name,),
        )
        connection.commit()
    assert client.stored_versions() is None


@pytest.mark.usefixtures("registry")
def test_the_list_needs_no_mlflow() -> None:
    listed = (
        "import sys\nfrom pokewatch.registry import Registry\n"
        "from pokewatch.retention.model_books import registered_books\n"
        "assert registered_books(Registry())['pokewatch']\nprint('mlflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", listed], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"False\n"


def test_there_is_nothing_to_keep_before_the_first_run(home: Path) -> None:
    assert registered_books(Registry()) == {}
    assert list(home.iterdir()) == []
