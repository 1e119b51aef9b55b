"""The commands in the documents work.

Those of `pokewatch` are run or parsed, the others are compared with what they drive.
"""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from pokewatch.cli.flows import STEPS_OF_SEVERAL
from pokewatch.cli.main import main
from pokewatch.gateway.auth.keys import KeyStore
from pokewatch.registry import PREVIOUS, Registry
from tests.champion import make_champion
from tests.conftest import ROOT
from tests.tools import require_tool

GENERATED = {"commands.md", "settings.md"}
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(page for page in (ROOT / "docs").glob("*.md") if page.name not in GENERATED),
]
FLOWS = {
    "pipeline": "flows/flow.py",
    "backfill": "flows/backfill.py",
    "monitor": "flows/monitor.py",
}
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


@dataclass(frozen=True)
class Documented:
    """A command of a page: the program and its arguments, without redirections and pipes."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def documented(page: Path, program: str) -> list[Documented]:
    """Return the commands of `program` in a page: lines of its blocks, and spans of code."""
    text = page.read_text()
    block = re.compile(r"^```\w*\n((?s:.*?))^```|^((?: {4}[^\n]*\n)+)", re.MULTILINE)
    lines = [line for match in block.finditer(text) for line in (match[1] or match[2]).splitlines()]
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", block.sub("", text))]
    found = []
    for line in (*lines, *spans):
        for part in re.split(r"[|&;]+", line.partition("  #")[0]):
            words = _words(part)
            if len(words) > 1 and words[0] == program and words not in found:
                found.append(words)
    return [Documented(page.name, words) for words in found]


def _words(text: str) -> tuple[str, ...]:
    try:
        words = shlex.split(text)
    except ValueError:  # prose, or a command that continues in the next line
        return ()
    while words and ASSIGNMENT.fullmatch(words[0]):
        del words[0]
    return tuple(words)


def everywhere(program: str) -> list[Documented]:
    return [command for page in PAGES for command in documented(page, program)]


def of_flows() -> list[Documented]:
    """Return the commands that Metaflow gets, as `python flows/...`."""
    found = [each for each in everywhere("python") if each.words[1].startswith("flows/")]
    for each in everywhere("pokewatch"):
        if each.words[1] in FLOWS:
            several = set(each.words) & set(STEPS_OF_SEVERAL)
            file = "flows/each_market.py" if several else FLOWS[each.words[1]]
            flow = ("python", file, *each.words[2:])
            found.append(Documented(each.page, flow))
    return [each for each in found if len(each.words) > 2]


def of_runbook(program: str) -> list[Documented]:
    return documented(ROOT / "docs" / "runbook.md", program)


@pytest.mark.parametrize("command", everywhere("pokewatch"), ids=str)
def test_a_documented_command_is_one(command: Documented) -> None:
    found: click.Command | None = main
    words = [word for word in command.words[1:] if word != "..."]
    while isinstance(found, click.Group):
        found = found.get_command(click.Context(found), words.pop(0))
    assert found is not None
    example = {"DATE": "2026-01-01", "NAME": "name", "ID": "0" * 12}
    # click caches the help option of a command as the first context defines it.
    found.make_context(
        command.words[-1], [example.get(word, word) for word in words], **main.context_settings
    )


@pytest.fixture(scope="module")
def used_home(tmp_path_factory: pytest.TempPathFactory, empty_mlflow_database: Path) -> Path:
    """A POKEWATCH_HOME with prices, a champion and a previous one."""
    folder = tmp_path_factory.mktemp("used")
    (folder / "mlflow").mkdir()
    shutil.copy(empty_mlflow_database, folder / "mlflow" / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POKEWATCH_HOME", str(folder))
        former = make_champion(cards=8, days=40)
        make_champion(cards=8, days=41)
        Registry().set_alias(PREVIOUS, former.model.version)
    return folder


@pytest.mark.integration
@pytest.mark.parametrize(
    "command",
    [
        each for each in of_runbook("pokewatch") if each.words[1] not in FLOWS
    ],  # a flow replaces the process
    ids=str,
)
def test_a_command_of_the_runbook_works(
    command: Documented, used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_HOME", str(used_home))
    monkeypatch.setenv("POKEWATCH_MLSERVER_URLS", "http://127.0.0.1:1")  # no server runs
    key = KeyStore(used_home / "keys.sqlite").create("customer")
    example = {"ID": key.id, "NEW": key.id, "DATE": "2026-01-01"}
    words = [example.get(word, word) for word in command.words[1:]]
    if words[0] == "rollback" and "--yes" not in words:
        words.append("--yes")  # for the person at the terminal, which CliRunner has not
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output


def test_the_runbook_names_what_rolls_back_and_replaces_a_key() -> None:
    named = {command.words[1:3] for command in of_runbook("pokewatch")}
    assert named >= {
        ("doctor",),
        ("rollback",),
        ("keys", "list"),
        ("keys", "rotate"),
        ("keys", "revoke"),
    }


@pytest.mark.parametrize("command", of_flows(), ids=str)
def test_a_flow_has_the_steps_cards_and_parameters_that_are_named(command: Documented) -> None:
    flow = ast.parse((ROOT / command.words[1]).read_text())
    steps = {
        node.name: {_name(decorator) for decorator in node.decorator_list}
        for node in ast.walk(flow)
        if isinstance(node, ast.FunctionDef)
    }
    verb, *rest = command.words[2:]
    if verb == "card":
        assert rest[0] == "view"
        assert {"step", "card"} <= steps[rest[1]]
    else:
        assert verb in ("run", "resume")
        options = {word for word in rest if word.startswith("--") and word != "--help"}
        if options:
            assert options <= options_of_flow(command.words[1], verb)


@cache
def options_of_flow(flow: str, verb: str) -> set[str]:
    """Return the options in the help of `python FLOW VERB`."""
    command_line = [sys.executable, flow, verb, "--help"]
    printed = subprocess.run(command_line, cwd=ROOT, capture_output=True, text=True, timeout=120)
    return set(re.findall(r"--[\w-]+", printed.stdout))


def _name(decorator: ast.expr) -> str:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")


@pytest.mark.parametrize("command", everywhere("make"), ids=str)
def test_make_has_the_target(command: Documented) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert command.words[1] in targets


@pytest.mark.parametrize("command", everywhere("kubectl"), ids=str)
def test_kubectl_understands_the_command(command: Documented, tmp_path: Path) -> None:
    """It fails only where it needs the cluster; what it names is in the manifests."""
    kubectl = require_tool("kubectl")
    cluster = {"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "none", "context": {"cluster": "none", "user": ""}}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "contexts": [context],
        "current-context": "none",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    (tmp_path / "k8s").symlink_to(ROOT / "k8s")
    shutil.copy(ROOT / "k8s" / "monitoring" / "secrets.example.yaml", tmp_path / "my-secrets.yaml")
    KeyStore(tmp_path / "keys" / "keys.sqlite").create("shop")

    environment = os.environ | {"KUBECONFIG": str(tmp_path / "config")}
    applied = "apiVersion: v1\nkind: Secret\nmetadata: {name: some}\n"
    result = subprocess.run(
        [kubectl, *command.words[1:]],
        cwd=tmp_path,
        env=environment,
        input=applied,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0 or "refused" in result.stderr, result.stderr
    named = {
        word
        for word in command.words
        if re.fullmatch(r"(deployment|service|statefulset)/[\w-]+", word)
    }
    assert named <= manifests(), "no such object in k8s/"


def manifests() -> set[str]:
    """Return every object of k8s/ as kubectl names it."""
    documents: list[Any] = []
    for path in (ROOT / "k8s").rglob("*.yaml"):
        documents += [
            document
            for document in yaml.safe_load_all(path.read_text())
            if isinstance(document, dict)
        ]
    return {
        f"{each['kind'].lower()}/{each['metadata']['name']}"
        for each in documents
        if "kind" in each and "name" in each.get("metadata", {})
    }
