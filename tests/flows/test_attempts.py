"""Metaflow's classes, amended."""

import os
import threading
from pathlib import Path

import pytest

from pokewatch.remote_files import open_remote
from pokewatch.removals import Removals
from pokewatch.settings import VersionSettings
from tests.conftest import ROOT


@pytest.mark.filterwarnings("ignore:The _yaml extension")  # Metaflow imports it
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


@pytest.mark.filterwarnings("ignore:The _yaml extension")
def test_a_card_is_created_in_the_process_of_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "flows"))
    from attempts import CardsOfTask
    from metaflow._vendor import click
    from metaflow.plugins.cards import card_cli

    options = ["--quiet", "--config-value", "deploy", "card"]
    command = ["python", "flow.py", *options, "card", "create", "1/gate/2", "--mode", "render"]
    created = []

    def create(pathspec: str, mode: str) -> None:
        created.append((os.getpid(), click.get_current_context().obj, pathspec, mode))
        if len(created) == 2:
            raise OSError("no space left")

    parameters = [click.Argument(["pathspec"]), click.Option(["--mode"])]
    monkeypatch.setattr(card_cli, "create", click.Command("create", None, create, parameters))
    cards = CardsOfTask(options, lambda _: (False, {}))
    with click.Context(click.Command("step"), obj="the state of the flow"):
        assert cards._run_command(command, "", {}) == (b"", False)
        output, failed = cards._run_command(command, "", {})
    assert created == [(os.getpid(), "the state of the flow", "1/gate/2", "render")] * 2
    assert failed
    assert output.endswith(b"OSError: no space left\n")
