"""Metaflow's classes, amended."""

import errno
import os
import threading
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pokewatch.remote_files import open_remote
from pokewatch.removals import Removals
from pokewatch.settings import VersionSettings
from tests.conftest import ROOT


def test_a_task_is_in_progress_and_stores_nothing_while_runs_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "flows"))
    from attempts import WaitingTasks
    from metaflow.datastore.flow_datastore import FlowDataStore
    from metaflow.plugins.datastores.local_storage import LocalStorage

    store = FlowDataStore("PokeWatchFlow", storage_impl=LocalStorage, ds_root=str(tmp_path))
    task = WaitingTasks(store, "1", "start", "2", attempt=0, mode="w")
    files, root = open_remote(str(tmp_path), VersionSettings.read())
    beginning = threading.Thread(target=task.init_task)
    with Removals(files, f"{root}/pokewatch.removals").announced():
        beginning.start()
        beginning.join(0.5)
        assert beginning.is_alive()
        begun = tmp_path / "PokeWatchFlow" / "1" / "start" / "2" / "0.attempt.json"
        assert begun.exists()
    beginning.join(10)
    assert not beginning.is_alive()


def test_a_card_is_created_in_the_process_of_its_task_where_cards_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "flows"))
    monkeypatch.chdir(tmp_path)
    from attempts import CardsOfTask
    from metaflow._vendor import click
    from metaflow.datastore.flow_datastore import FlowDataStore
    from metaflow.plugins.cards import card_cli
    from metaflow.plugins.cards.card_datastore import CardDatastore
    from metaflow.plugins.datastores.local_storage import LocalStorage

    def create(pathspec: str, mode: str) -> None:
        store = click.get_current_context().obj.flow_datastore
        created.append((os.getpid(), pathspec, mode, store.datastore_root))
        if len(created) == 2:
            raise OSError("a card is refused")
        if len(created) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "card.html")

    created: list[tuple[Any, ...]] = []
    known: list[str] = []
    monkeypatch.setattr("metaflow.metadata", known.append)
    # with flows imported by another test, that of their home
    monkeypatch.setattr("metaflow.plugins.cards.card_datastore.CARD_LOCALROOT", None)
    parameters = [click.Argument(["pathspec"]), click.Option(["--mode"])]
    command = click.Command("create", None, create, parameters)
    monkeypatch.setitem(card_cli.card.commands, "create", command)
    store = FlowDataStore("PokeWatchFlow", storage_impl=LocalStorage, ds_root=str(tmp_path))
    metadata = SimpleNamespace(TYPE="local", default_info=lambda: "here")
    options = ["--quiet", "--config-value", "deploy", "card"]
    arguments = ["python", "flow.py", *options, "card", "create", "1/gate/2", "--mode", "render"]
    cards = CardsOfTask(options, lambda _: (False, {}))
    state = SimpleNamespace(flow_datastore=store, metadata=metadata)
    with click.Context(click.Command("step"), obj=state):
        assert cards._run_command(arguments, "", {}) == (b"", False)
        output, failed = cards._run_command(arguments, "", {})
        full = cards._run_command(arguments, "", {})
    root = CardDatastore.get_storage_root("local")
    assert created == [(os.getpid(), "1/gate/2", "render", root)] * 3
    assert store.datastore_root == str(tmp_path)
    assert known == ["local@here"] * 3
    assert failed
    assert output.endswith(b"OSError: a card is refused\n")
    assert full == (b"card.html: No space left on device; free some space", True)


@pytest.mark.parametrize("ended", [True, False], ids=["ended", "failed"])
def test_whether_a_run_ended_is_known_where_its_home_was_moved_to(
    ended: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "flows"))
    from attempts import WaitingTasks, _require_unfinished
    from metaflow.datastore.flow_datastore import FlowDataStore
    from metaflow.exception import MetaflowException
    from metaflow.plugins.datastores.local_storage import LocalStorage

    former, here = (
        FlowDataStore("PokeWatchFlow", storage_impl=LocalStorage, ds_root=str(tmp_path / name))
        for name in ("former", "here")
    )
    end = WaitingTasks(former, "1", "end", "2", attempt=0, mode="w")
    end.init_task()
    end.save_artifacts([("_task_ok", ended)])
    end.done()
    (tmp_path / "former").rename(tmp_path / "here")
    with pytest.raises(MetaflowException, match="nothing to resume") if ended else nullcontext():
        _require_unfinished(here, "1")


def test_an_artifact_that_a_power_failure_left_empty_is_stored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "flows"))
    from attempts import WholeArtifacts
    from metaflow.plugins.datastores.local_storage import LocalStorage

    artifacts = WholeArtifacts("PokeWatchFlow/data", LocalStorage(str(tmp_path)))
    (stored,) = artifacts.save_blobs([b"a value"])
    path = tmp_path / "PokeWatchFlow" / "data" / stored.key[:2] / stored.key
    whole = path.read_bytes()
    os.truncate(path, 0)
    artifacts.save_blobs([b"a value"])
    assert dict(artifacts.load_blobs([stored.key])) == {stored.key: b"a value"}
    os.truncate(f"{path}_meta", 0)
    artifacts.save_blobs([b"a value"])
    assert dict(artifacts.load_blobs([stored.key])) == {stored.key: b"a value"}
    written = path.stat().st_mtime_ns
    artifacts.save_blobs([b"a value"])
    assert (len(path.read_bytes()), path.stat().st_mtime_ns) == (len(whole), written)
