"""The version of the checkout, and its wheel."""

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.conftest import ROOT


def build_wheel(folder: Path) -> Path:
    """Build PokeWatch's wheel into `folder` and return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def version(root: Path = ROOT) -> str:
    """Return the version that pyproject.toml states."""
    found: str = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    return found
