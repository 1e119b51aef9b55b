"""A program that exits with its parent; with real servers: tests/integration/test_serve.py."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.serving.server import free_ports

PARENT = """
import os, subprocess, sys
command = [*sys.argv[1:3], "-m", "pokewatch.cli.child_process", str(os.getpid()), *sys.argv[3:]]
child = subprocess.Popen(command, start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    return os.environ | {"POKEWATCH_GATEWAY_PORT": str(free_ports(1)[0])}


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGHUP], ids=lambda ending: ending.name)
def test_a_program_exits_with_its_parent(
    ending: signal.Signals, environment: dict[str, str], tmp_path: Path
) -> None:
    with (tmp_path / "log").open("w") as log:
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, sys.executable, "-P", "pokewatch", "gateway"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(ending)
    parent.wait()
    parent.stdout.close()
    assert psutil.wait_procs([child], timeout=30)[1] == []


def test_a_program_whose_parent_has_already_exited_exits_at_once(
    environment: dict[str, str],
) -> None:
    command = [
        sys.executable,
        "-P",
        "-m",
        "pokewatch.cli.child_process",
        "1",
        "pokewatch",
        "gateway",
    ]
    found = subprocess.run(command, env=environment, capture_output=True, timeout=60)
    assert found.returncode in (0, -signal.SIGTERM)


def test_a_program_has_its_own_name_arguments_and_exit_code(environment: dict[str, str]) -> None:
    command = [
        sys.executable,
        "-P",
        "-m",
        "pokewatch.cli.child_process",
        str(os.getpid()),
        "pokewatch",
        "keys",
        "revoke",
        "nobody",
    ]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stderr.split(": list")[0]) == (
        3,
        "Error: no key has the id 'nobody'",
    )
