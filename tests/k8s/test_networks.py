"""Namespaces and connections of the tests of network policies, with an `ip` that only remembers."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.networks import OUTSIDE, outside, wait_for_each
from tests.conftest import ROOT
from tests.k8s.connections import Connection
from tests.polling import eventually
from tests.serving.server import free_ports

# Namespaces and links are files; a link stays, as it does where a process is in its namespace.
IP = """#!{python}
import os, pathlib, sys
words = sys.argv[1:]
if words[:2] == ["netns", "exec"]:
    os.execv(words[3], words[3:])
if words[0] in ("netns", "link") and words[1] in ("add", "delete"):
    file = pathlib.Path(os.environ["IP_FOLDER"], words[0] + " " + words[2])
    try:
        file.touch(exist_ok=False) if words[1] == "add" else file.unlink()
    except OSError as error:
        sys.exit(str(error))
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the files."""
    program = tmp_path / "bin" / "ip"
    program.parent.mkdir()
    program.write_text(IP.format(python=sys.executable))
    program.chmod(0o755)
    found = tmp_path / "made"
    found.mkdir()
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("IP_FOLDER", str(found))
    return found


def test_a_host_outside_replaces_that_of_a_run_that_was_killed(made: Path) -> None:
    for left in (f"netns {OUTSIDE}", "link pokewatch1"):
        (made / left).touch()
    with outside(["198.51.100.7"]) as namespace:
        assert (made / f"netns {namespace}").exists()
    assert not (made / f"netns {OUTSIDE}").exists()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_listener_ends_with_a_run_that_is_killed(made: Path) -> None:
    (port,) = free_ports(1)
    run = f"""
import time
from tests.cluster.networks import listening
with listening("some", [{port}]):
    print("ready", flush=True)
    time.sleep(3600)
"""
    started = subprocess.Popen(
        [sys.executable, "-c", run], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout
    with started.stdout:
        assert started.stdout.readline() == "ready\n"
    assert _answers(port)
    started.send_signal(signal.SIGKILL)
    started.wait()
    eventually(lambda: _answers(port), lambda found: not found)


CONNECTIONS: list[Connection] = [("a", "b", 1), ("a", "b", 2), ("c", "d", 3)]


@pytest.mark.parametrize("wanted", [True, False], ids=["made", "refused"])
def test_each_connection_is_waited_for(wanted: bool) -> None:
    """The policies are enforced for one connection after another."""
    polls: list[list[Connection]] = []

    def passing(tried: list[Connection]) -> list[Connection]:
        polls.append(tried)
        changed = CONNECTIONS[: len(polls)]
        return [each for each in tried if (each in changed) is wanted]

    wait_for_each(passing, CONNECTIONS, made=wanted, every=0)
    assert polls == [CONNECTIONS, CONNECTIONS[1:], CONNECTIONS[2:]]
