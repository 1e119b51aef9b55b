"""Ending a run before its tasks have."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.polling import eventually

WAITING = Path(__file__).with_name("waiting_flow.py")


def test_a_run_that_is_terminated_ends_its_tasks(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "process"
    command = [sys.executable, str(WAITING), "run", "--process", str(file)]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, cwd=tmp_path) as run:
        try:
            eventually(file.exists, bool)
            task = int(file.read_text())
            run.send_signal(signal.SIGTERM)  # as `kill` does: not to the group of its tasks
            output, _ = run.communicate(timeout=60)
        finally:
            run.kill()
    assert run.returncode == 1
    assert "Workflow interrupted" in output
    assert "(retry)" not in output
    with pytest.raises(ProcessLookupError):
        os.kill(task, 0)
