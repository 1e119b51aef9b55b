"""Metaflow's classes, amended."""

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
