"""Runs of a real Metaflow flow, of which old ones go and newer ones stay readable."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pokewatch.retention.runs import remove_old_runs

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


@pytest.fixture
def datastore(home: Path, tmp_path: Path) -> Path:
    """The folder of Metaflow's datastore with runs 1 and 2, the first 100 days old."""
    flow = tmp_path / "flow.py"
    flow.write_text(FLOW)
    for number in ("first", "second"):
        run = [str(flow), "--quiet", "run", "--own", number, "--run-id-file", f"{number}.id"]
        subprocess.run([sys.executable, *run], check=True, cwd=tmp_path, env=environment(home))
    root = home / ".metaflow"
    first = (tmp_path / "first.id").read_text()
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


def test_old_runs_go_and_newer_ones_stay_readable(datastore: Path, tmp_path: Path) -> None:
    first, second = ((tmp_path / f"{each}.id").read_text() for each in ("first", "second"))
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


def test_without_a_datastore_there_is_nothing_to_remove(tmp_path: Path) -> None:
    assert removed(tmp_path / "none") == []
