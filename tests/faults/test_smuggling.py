"""Request smuggling through a real nginx that forwards Upgrade and reuses connections."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.tools import require_tool

pytestmark = pytest.mark.integration

IN_NAMESPACE = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


def namespace() -> list[str]:
    """Return the prefix of a command that runs in its own network namespace, if that is allowed."""
    allowed = (
        shutil.which("unshare")
        and shutil.which("ip")
        and subprocess.run([*IN_NAMESPACE, "true"], capture_output=True).returncode == 0
    )
    return list(IN_NAMESPACE) if allowed else []


def responses(folder: Path, number: int, *more: str) -> dict[str, int]:
    require_tool("nginx")
    command = [
        *namespace(),
        sys.executable,
        "-m",
        "tests.faults.smuggling",
        str(folder),
        str(number),
        *more,
    ]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)
    assert process.returncode == 0, process.stderr[-2_000:]
    found: dict[str, int] = json.loads(process.stdout)
    return found


def test_responses_reach_the_right_client(tmp_path: Path) -> None:
    found = responses(tmp_path, 5_000)
    assert found["right"] == 5_000
    assert set(found) == {"right", "attack 401"}


@pytest.mark.slow
def test_many_responses_reach_the_right_client(tmp_path: Path) -> None:
    assert responses(tmp_path, 50_000)["right"] == 50_000


@pytest.mark.slow
def test_the_attack_works_on_plain_uvicorn(tmp_path: Path) -> None:
    """Proof that the test above can fail."""
    assert responses(tmp_path, 3_000, "--uvicorn")["wrong"] > 0
