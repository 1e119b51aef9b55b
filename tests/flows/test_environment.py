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
    # Of a process that cannot write its data either, coverage would warn.
    kept = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    found = subprocess.run(
        [sys.executable, "-c", "import environment", command],
        cwd=ROOT / "flows",
        env=kept | {"POKEWATCH_HOME": str(home)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode != 0) is refused
    if refused:
        (line,) = found.stderr.splitlines()
        assert line.startswith(f"Error: POKEWATCH_HOME '{home}': cannot be written to")


ANOTHER_USER = """
import os, pathlib
os.geteuid = lambda: os.getuid() + 1
os.access = lambda path, mode, **_: pathlib.Path(path).stat().st_mode & mode == mode
import environment
"""


@pytest.mark.parametrize(("command", "refused"), [("run", True), ("card", True), ("step", False)])
def test_files_of_another_user_are_named_before_anything_is_done(
    command: str, refused: bool, home: Path
) -> None:
    home.chmod(0o777)
    (home / ".metaflow").mkdir(mode=0o700)
    found = subprocess.run(
        [sys.executable, "-c", ANOTHER_USER, command],
        cwd=ROOT / "flows",
        env=os.environ | {"POKEWATCH_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert found.returncode == (2 if refused else 0)
    if refused:
        (line,) = found.stderr.splitlines()
        assert line.startswith(f"Error: {home / '.metaflow'} belongs to another user")
