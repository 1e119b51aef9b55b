"""docs/api.md: every example runs, and it has every problem and route."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from pokewatch.gateway.api.routes import OPERATIONS
from pokewatch.gateway.http.problems import KINDS
from tests.conftest import ROOT
from tests.gateway.conftest import Gateway
from tests.gateway.http.test_cors import other_site
from tests.gateway.web.browsing import browser
from tests.serving.server import Server
from tests.tools import require_tool

__all__ = ["browser"]

TEXT = (ROOT / "docs" / "api.md").read_text()
EXAMPLES = re.findall(r"```(sh|python)\n(.*?)```", TEXT, re.DOTALL)
ANSWERS = re.findall(r"```sh\n([^`]*)```\n\n```json\n([^`]*)```", TEXT)
[SCRIPT] = re.findall(r"```js\n(.*?)```", TEXT, re.DOTALL)
CHANGING = {"request_id", "as_of", "id"}


def environment(gateway: Gateway) -> dict[str, str]:
    return {**os.environ, "POKEWATCH": gateway.url, "KEY": gateway.key.key}


def printed(gateway: Gateway, *command: str, cwd: Path | None = None) -> str:
    found = subprocess.run(
        command, cwd=cwd, env=environment(gateway), capture_output=True, text=True, timeout=60
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.parametrize(
    ("language", "code"), EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))]
)
def test_an_example_runs(gateway: Gateway, language: str, code: str, tmp_path: Path) -> None:
    program = ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-c"]
    output = printed(gateway, *program, code, cwd=tmp_path)
    assert output
    if "2026-02-30" in code:
        assert '"/docs#invalid"' in output
    elif "TAG=" in code:
        assert output == "304\n"
    else:
        assert "docs#" not in output.replace("/docs#unknown-card", "", 1)


def without_changing(node: Any) -> Any:
    """Return an answer without the values that differ from request to request."""
    if isinstance(node, dict):
        return {
            name: type(value).__name__ if name in CHANGING else without_changing(value)
            for name, value in node.items()
        }
    return [without_changing(each) for each in node] if isinstance(node, list) else node


@pytest.mark.parametrize(
    ("code", "answer"), ANSWERS, ids=[str(number) for number in range(len(ANSWERS))]
)
def test_an_answer_is_the_one_that_is_shown(gateway: Gateway, code: str, answer: str) -> None:
    output = printed(gateway, "bash", "-euo", "pipefail", "-c", code)
    assert without_changing(json.loads(output)) == without_changing(json.loads(answer))


def test_most_examples_show_their_answer() -> None:
    assert len(ANSWERS) >= 12


def test_the_script_runs_on_a_server(gateway: Gateway) -> None:
    output = printed(gateway, require_tool("node"), "--input-type=module", "--eval", SCRIPT)
    assert_printed(output.splitlines())


def test_the_script_runs_in_a_browser_on_another_site(
    browser: Browser, mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    with other_site() as site:
        found = make_gateway(mlserver.url, cors_origins=(site,))
        page = browser.new_page()
        page.goto(site)
        lines = page.evaluate(
            "async ([url, key]) => { const lines = [], process = {env: {POKEWATCH: url, KEY: key}},"
            f"console = {{log: (...words) => lines.push(words.join(' '))}};\n{SCRIPT}\n"
            "return lines; }",
            [found.url, found.key.key],
        )
        page.close()
    assert_printed(lines)


def assert_printed(lines: list[str]) -> None:
    first, second = lines
    assert first.split()[0] in ("BUY", "HOLD", "SELL")
    assert second == "Pokémon 0: 1.04 USD, Pokémon 1: 2.04 USD"


def test_every_problem_is_described() -> None:
    for kind in KINDS:
        assert f"| {kind.status} | `{kind.name}` | {kind.meaning} |" in TEXT


@pytest.mark.parametrize("path", [operation.path for operation in OPERATIONS])
def test_every_route_is_named(path: str) -> None:
    shown = path.replace("{card_id}", "card_4").replace("{model}", "pokewatch")
    shown = shown.replace("{set_id}", "set0")
    assert shown in TEXT or path.startswith("/v2/")
