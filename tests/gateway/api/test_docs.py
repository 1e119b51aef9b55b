"""docs/api.md: every example runs, and it has every problem and route."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pokewatch.gateway.api.routes import OPERATIONS
from pokewatch.gateway.http.problems import KINDS
from tests.conftest import ROOT
from tests.gateway.conftest import Gateway

TEXT = (ROOT / "docs" / "api.md").read_text()
EXAMPLES = re.findall(r"```(sh|python)\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize(
    ("language", "code"), EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))]
)
def test_an_example_runs(gateway: Gateway, language: str, code: str, tmp_path: Path) -> None:
    program = ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-c"]
    environment = {**os.environ, "POKEWATCH": gateway.url, "KEY": gateway.key.key}
    found = subprocess.run(
        [*program, code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout
    if "2026-02-30" in code:
        assert '"/docs#invalid"' in found.stdout
    elif "TAG=" in code:
        assert found.stdout == "304\n"
    else:
        assert "docs#" not in found.stdout.replace("/docs#unknown-card", "", 1)


def test_every_problem_is_described() -> None:
    for kind in KINDS:
        assert f"| {kind.status} | `{kind.name}` | {kind.meaning} |" in TEXT


@pytest.mark.parametrize("path", [operation.path for operation in OPERATIONS])
def test_every_route_is_named(path: str) -> None:
    shown = path.replace("{card_id}", "card_4").replace("{model}", "pokewatch")
    shown = shown.replace("{set_id}", "set0")
    assert shown in TEXT or path.startswith("/v2/")
