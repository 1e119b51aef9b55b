"""Runs of a real Metaflow flow, of which old ones go and newer ones stay readable."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from pokewatch.removals import Removals
from pokewatch.retention.runs import remove_old_runs, wait_for_removals

pytestmark = pytest.mark.integration

FLOW = """
from metaflow import FlowSpec, Parameter, card, step

class PokeWatchFlow(FlowSpec):
    own = Parameter("own", default="")

    @card(type="blank")
    @step
    def start(self):
        self.shared = "the same in every run"
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    PokeWatchFlow()
"""
READ = """
import sys
from metaflow import Run, namespace
namespace(None)
run = Run(f"PokeWatchFlow/{sys.argv[1]}", _namespace_check=False)
print(run["start"].task.data.shared, run["start"].task.data.own)
"""


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Metaflow's datastore of two runs, and a copy of it, as `copy`."""
    folder = tmp_path_factory.mktemp("runs")
    flow = folder / "flow.py"
    flow.write_text(FLOW)
    for number in ("first", "second"):
        run = [str(flow), "--quiet", "run", "--own", number, "--run-id-file", f"{number}.id"]
        subprocess.run([sys.executable, *run], check=True, cwd=folder, env=environment(folder))
    shutil.copytree(folder / ".metaflow", folder / "copy")
    return folder


@pytest.fixture
def datastore(two_runs: Path) -> Path:
    """The folder of the datastore as the runs left it, but the first is 100 days old."""
    root = two_runs / ".metaflow"
    shutil.rmtree(root)  # a run finds what it stored at this path alone
    shutil.copytree(two_runs / "copy", root)
    first = (two_runs / "first.id").read_text()
    then = time.time() - 100 * 86_400
    for path in (root / "PokeWatchFlow" / first).rglob("*"):
        os.utime(path, (then, then))
    (root / "TheirFlow" / "1").mkdir(parents=True)
    (root / "TheirFlow" / "1" / "old").touch()
    os.utime(root / "TheirFlow" / "1" / "old", (then, then))
    return root


def environment(home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(home),
        "METAFLOW_CARD_LOCALROOT": str(home / ".metaflow" / "mf.cards"),
        "METAFLOW_USER": "tester",
        "METAFLOW_PYLINT": "false",
    }


def removed(root: Path, *, dry_run: bool = False) -> list[tuple[str, int]]:
    keep = timedelta(days=60)
    return list(remove_old_runs(str(root), datetime.now(UTC), keep, dry_run=dry_run))


@pytest.mark.slow
def test_old_runs_go_and_newer_ones_stay_readable(datastore: Path, tmp_path: Path) -> None:
    first, second = ((datastore.parent / f"{each}.id").read_text() for each in ("first", "second"))
    before = set(datastore.rglob("*"))
    ((name, size),) = removed(datastore, dry_run=True)
    assert (name, size > 0, set(datastore.rglob("*"))) == ("1 run of PokeWatchFlow", True, before)

    assert removed(datastore) == [(name, size)]
    assert [path for path in datastore.rglob("*") if first in path.name] == []
    assert (datastore / "TheirFlow" / "1" / "old").exists()
    done = subprocess.run(
        [sys.executable, "-c", READ, second],
        env=environment(datastore.parent),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == "the same in every run second"
    assert removed(datastore) == []


def begin(task: Path) -> Path:
    """Begin a task of a run, as Metaflow does; return its record of the attempt."""
    task.mkdir(parents=True)
    begun = task / "0.attempt.json"
    begun.write_text("{}")
    return begun


def test_old_runs_stay_while_a_task_may_cite_what_they_stored(datastore: Path) -> None:
    before = set(datastore.rglob("*"))
    begun = begin(datastore / "PokeWatchFlow" / "3" / "start" / "1")
    assert removed(datastore) == []
    assert before <= set(datastore.rglob("*"))
    (begun.parent / "0.DONE.lock").touch()
    assert len(removed(datastore)) == 1


def test_neither_the_caller_nor_a_killed_task_counts(datastore: Path) -> None:
    begin(datastore / "PokeWatchFlow" / "3" / "end" / "9")
    killed = begin(datastore / "PokeWatchFlow" / "2" / "train" / "5")
    then = time.time() - 2 * 86_400
    os.utime(killed, (then, then))
    keep, now = timedelta(days=60), datetime.now(UTC)
    own = "PokeWatchFlow/3/end/9"
    found = remove_old_runs(str(datastore), now, keep, dry_run=False, own_task=own)
    assert [name for name, _ in found] == ["1 run of PokeWatchFlow"]


def test_a_temporary_file_of_a_task_that_is_gone_after_the_listing(
    datastore: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = LocalFileSystem.find

    def passing(files: LocalFileSystem, path: str, **options: Any) -> Any:
        temporary = Path(path) / "tmpcyxs6tvw"
        temporary.touch()
        try:
            return find(files, path, **options)
        finally:
            temporary.unlink()

    begin(datastore / "PokeWatchFlow" / "3" / "end" / "9")
    monkeypatch.setattr(LocalFileSystem, "find", passing)
    assert removed(datastore) == []


def test_a_task_that_begins_meanwhile_waits_and_what_it_cites_stays(
    datastore: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task begins after the removal has been announced, one has begun just before."""
    waiting = threading.Thread(target=wait_for_removals, args=(str(datastore),))
    announced = Removals.announced

    @contextmanager
    def crossed(self: Removals) -> Iterator[Callable[[], None]]:
        begin(datastore / "PokeWatchFlow" / "3" / "start" / "1")
        with announced(self) as proceed:
            waiting.start()
            waiting.join(0.3)
            assert waiting.is_alive()
            yield proceed

    monkeypatch.setattr(Removals, "announced", crossed)
    assert removed(datastore) == []
    waiting.join(10)
    assert not waiting.is_alive()


def test_without_a_datastore_there_is_nothing_to_remove(tmp_path: Path) -> None:
    assert removed(tmp_path / "none") == []
