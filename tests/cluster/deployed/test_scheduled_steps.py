"""Steps that run as pods, scheduled from this machine."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.flow import CLUSTER, environment
from tests.cluster.storage import Storage
from tests.cluster.system import System
from tests.conftest import ROOT
from tests.monitoring.listener import listening

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

FLOWS = ROOT / "tests" / "cluster" / "flows"


def test_a_run_by_metaflows_runner_is_read_by_its_client(system: System, tmp_path: Path) -> None:
    """A step that fails is retried, and one that is killed for memory is reported as that."""
    folder = shutil.copytree(ROOT / "flows", tmp_path / "flows")
    flow = Path(shutil.copy(FLOWS / "fragile.py", folder))
    plane = system.cluster.plane
    env = environment(tmp_path / "home", "", plane.kubeconfig)
    with Storage(plane).environment() as storage, listening() as listener:
        notified = {"POKEWATCH_NOTIFY_URLS": listener.address}
        done = subprocess.run(
            [sys.executable, str(FLOWS / "runner.py"), str(flow), str(CLUSTER)],
            env=env | storage | notified,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert done.stdout.startswith("successful\n"), output
    assert "this node is going down" in output
    assert "The pod was killed for memory" in output
    assert done.stdout.splitlines()[-1] == "1"  # the attempt that succeeded
    (title,) = listener.titles()
    assert title.endswith("succeeded")
