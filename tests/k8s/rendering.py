"""What is applied to a cluster, as kubectl renders it."""

import subprocess
from pathlib import Path

import yaml

from tests.conftest import ROOT
from tests.k8s.rules import Manifest
from tests.tools import require_tool

K8S = ROOT / "k8s"
OVERLAYS = ("local", "production")
APPLIED = {
    **{overlay: K8S / "overlays" / overlay for overlay in OVERLAYS},
    "monitoring": K8S / "monitoring",
}


def rendered_overlay(folder: Path) -> list[Manifest]:
    done = subprocess.run(
        [require_tool("kubectl"), "kustomize", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def rendered_jobs() -> dict[str, Manifest]:
    """What the make targets start beside an overlay, by name."""
    return {path.stem: yaml.safe_load(path.read_text()) for path in (K8S / "jobs").glob("*.yaml")}
