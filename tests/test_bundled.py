"""What an installation without a checkout brings along."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pokewatch.bundled import bundled
from tests.conftest import ROOT
from tests.wheel import build_wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, unpacked as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(build_wheel(folder)) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def tracked(folder: str) -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(listed.stdout.split())


def test_a_checkout_uses_its_own_folders() -> None:
    assert bundled("flows") == ROOT / "flows"
    assert bundled("mlserver_models") == ROOT / "mlserver_models"


@pytest.mark.parametrize("name", ["flows", "mlserver_models"])
def test_the_wheel_carries_what_the_checkout_has(name: str, installed: Path) -> None:
    bundle = installed / "pokewatch" / "_bundled"
    files = [path for path in (bundle / name).rglob("*") if path.is_file()]
    found = {str(path.relative_to(bundle)) for path in files}
    assert found >= tracked(name)


def test_the_wheel_is_typed_and_licensed(installed: Path) -> None:
    assert (installed / "pokewatch" / "py.typed").is_file()
    (metadata,) = installed.glob("*.dist-info/METADATA")
    assert (metadata.parent / "licenses" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    header = metadata.read_text().partition("\n\n")[0]
    assert "License-Expression: Apache-2.0" in header
    assert "Author: " in header


def test_the_installed_package_finds_its_own_models(installed: Path, tmp_path: Path) -> None:
    code = (
        "from pokewatch.settings import ServingSettings; "
        "from pokewatch.cli.local_stack import models_folder; "
        "print(models_folder(ServingSettings.read()))"
    )
    found = run(installed, tmp_path, "-c", code)
    assert found.stdout.strip() == str(installed / "pokewatch" / "_bundled" / "mlserver_models")


def test_the_installed_command_reaches_the_flow(installed: Path, tmp_path: Path) -> None:
    found = run(installed, tmp_path, "-m", "pokewatch.cli.main", "pipeline", "run", "--help")
    assert found.returncode == 0, found.stderr
    assert "--candidates" in found.stdout


@pytest.mark.parametrize("command", ["pipeline", "backfill", "monitor"])
def test_a_flow_without_arguments_is_a_usage_error(
    command: str, installed: Path, tmp_path: Path
) -> None:
    found = run(installed, tmp_path, "-m", "pokewatch.cli.main", command)
    assert found.returncode == 2
    assert "run --help" in found.stderr
