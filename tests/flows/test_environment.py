"""What the flows check before Metaflow is imported."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize(("command", "refused"), [("run", True), ("resume", True), ("card", False)])
def test_a_run_on_a_full_disk_is_refused_in_one_line(
    command: str, refused: bool, home: Path
) -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import environment", command],
        cwd=ROOT / "flows",
        env=os.environ | {"POKEWATCH_HOME": str(home)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode != 0) is refused
    if refused:
        (line,) = found.stderr.splitlines()
        assert line.startswith(f"Error: POKEWATCH_HOME '{home}': cannot be written to")
