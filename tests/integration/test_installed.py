"""The built wheel in an environment of its own, away from the checkout: pipeline, value, serve."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.champion import MODEL
from tests.conftest import ROOT
from tests.integration.stack import served
from tests.wheel import build_wheel

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel, its extras and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    uv = str(Path(sys.executable).with_name("uv"))
    wheel = build_wheel(folder)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
    lock = ["--constraint", str(ROOT / "requirements.lock")]
    wanted = f"{wheel}[pipeline,serving,gateway]"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *lock, wanted], check=True)
    return python.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder to work in."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def model_home(environment: Path, folder: Path) -> Path:
    """A POKEWATCH_HOME in which the installed pipeline has made a champion."""
    market = ("--cards", "120", "--days", "80", "--candidates", MODEL)
    done = run(environment, folder, "pipeline", "run", *market)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "model version 1" in done.stdout
    return folder / "home"


def run(environment: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {"POKEWATCH_HOME": str(folder / "home"), "PYTHONPATH": ""}
    inherited = {name: value for name, value in os.environ.items() if "METAFLOW" not in name}
    command = [str(environment / "pokewatch"), *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=inherited | settings,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_installed_package_is_the_wheel(environment: Path, folder: Path) -> None:
    code = "import pokewatch; print(pokewatch.__file__)"
    found = subprocess.run(
        [environment / "python", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.startswith(str(environment.parent))


def test_the_pipeline_leaves_nothing_in_the_working_folder(model_home: Path, folder: Path) -> None:
    assert [path.name for path in folder.iterdir()] == [model_home.name]


def test_a_card_is_valued(environment: Path, model_home: Path, folder: Path) -> None:
    (row,) = json.loads(run(environment, folder, "value", "--sample", "1", "--json").stdout)
    assert row["fair_price"] > 0
    assert row["model_version"] == "1"


def test_the_printed_line_is_answered(environment: Path, model_home: Path, tmp_path: Path) -> None:
    python = str(environment / "python")
    with served(model_home, tmp_path / "serve.log", python=python, folder=tmp_path) as stack:
        answer = subprocess.run(stack.curl, shell=True, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout)["model_version"] == "1"
