"""Ending a run before its tasks have."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.polling import eventually

pytestmark = pytest.mark.integration

WAITING = Path(__file__).with_name("waiting_flow.py")


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param([signal.SIGTERM], id="term"),
        pytest.param([signal.SIGHUP], id="hup", marks=pytest.mark.slow),
        pytest.param([signal.SIGINT, signal.SIGTERM], id="int-term", marks=pytest.mark.slow),
        pytest.param([signal.SIGINT, signal.SIGINT], id="int-int", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_is_ended_ends_its_tasks(
    signals: list[signal.Signals], home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "process"
    command = [sys.executable, str(WAITING), "run", "--process", str(file)]
    with subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, cwd=tmp_path, preexec_fn=_heed_interrupts
    ) as run:
        try:
            eventually(file.exists, bool)
            task = int(file.read_text())
            output: list[str] = []
            *first, last = signals
            for number in first:  # to the run alone, as `kill` does: not to the group of its tasks
                run.send_signal(number)
                output += _read(run)
            run.send_signal(last)
            output.append(run.communicate(timeout=60)[0])
        finally:
            run.kill()
    assert run.returncode == 1
    text = "".join(output)
    assert "Workflow interrupted" in text
    assert "(retry)" not in text
    with pytest.raises(ProcessLookupError):
        os.kill(task, 0)


def _heed_interrupts() -> None:
    """A shell starts background jobs with SIGINT ignored, and nohup any with SIGHUP."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _read(run: subprocess.Popen[str]) -> list[str]:
    """Return the output of a run up to the line by which it waits for its tasks to end."""
    assert run.stdout is not None
    output = [run.stdout.readline()]
    while "Terminating" not in output[-1]:
        output.append(run.stdout.readline())
        assert output[-1], output
    return output
