"""Other callers' answers stay theirs, behind a real nginx that forwards Upgrade and keeps its connections."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.tools import require_tool

ALONE = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


def namespace() -> list[str]:
    """The start of a command that runs in a network of its own, where this machine allows that; else on loopback."""
    allowed = (
        shutil.which("unshare")
        and shutil.which("ip")
        and subprocess.run([*ALONE, "true"], capture_output=True).returncode == 0
    )
    return list(ALONE) if allowed else []


def answers(folder: Path, number: int, *more: str) -> dict[str, int]:
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


def test_nobody_gets_anothers_answer(tmp_path: Path) -> None:
    found = answers(tmp_path, 5_000)
    assert found["right"] == 5_000
    assert set(found) == {"right", "attack 401"}


@pytest.mark.slow
def test_nobody_gets_anothers_answer_for_long(tmp_path: Path) -> None:
    assert answers(tmp_path, 50_000)["right"] == 50_000


def test_the_attack_is_one(tmp_path: Path) -> None:
    """On uvicorn's own protocol it works: the test above is not one that cannot fail."""
    assert answers(tmp_path, 3_000, "--uvicorn")["wrong"] > 0
