"""Metaflow's Runner and client, as docs/pipeline.md shows them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow


def test_the_example_of_the_documentation_runs(home: Path) -> None:
    text = (ROOT / "docs" / "pipeline.md").read_text()
    (example,) = re.findall(r"## From Python\n.*?```python\n(.*?)```", text, re.DOTALL)
    settings = {
        "METAFLOW_USER": "tester",
        "POKEWATCH_GATE_MAPE": "100",
        "POKEWATCH_MLSERVER_URLS": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    status, model = done.stdout.splitlines()[-2:]
    assert status == "successful"
    assert model in ("last 1", "local_level 1")
