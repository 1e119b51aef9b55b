"""`.ci/release`, on a copy of the checkout."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.wheel import version

PLACES = ("pyproject.toml", "CHANGELOG.md", ".ci", "k8s", "flows/configs")
NEXT = "7.8.9"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for place in PLACES:
        target = tmp_path / place
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / place).is_dir() else shutil.copy
        copy(ROOT / place, target)
    return tmp_path


def release(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(checkout / ".ci" / "release"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def images(root: Path) -> set[str]:
    """Return the tags of PokeWatch's images in every manifest and in the flows' config."""
    texts = [path.read_text() for path in (root / "k8s").rglob("*.yaml")]
    pinned = re.findall(r"image: .*pokewatch/(?:gateway|serving|pipeline):(\S+)", "\n".join(texts))
    flows = json.loads((root / "flows" / "configs" / "cluster.json").read_text())["image"]
    production = root / "k8s" / "overlays" / "production" / "kustomization.yaml"
    applied = [image["newTag"] for image in yaml.safe_load(production.read_text())["images"]]
    assert len(pinned) >= 4
    assert len(applied) == 3
    return {*pinned, *applied, flows.rpartition(":")[2]}


def test_everything_states_one_version() -> None:
    assert images(ROOT) == {version()}


def test_a_release_moves_every_tag_and_the_changelog(checkout: Path) -> None:
    done = release(checkout, NEXT)
    assert done.returncode == 0, done.stderr
    assert version(checkout) == NEXT
    assert images(checkout) == {NEXT}
    changelog = (checkout / "CHANGELOG.md").read_text()
    assert re.search(
        rf"^## \[Unreleased\]\n\n## \[{NEXT}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((), "usage"), (("v1.2",), "got v1.2"), (("1.2.3-rc1",), "got 1.2.3-rc1")],
    ids=["none", "short", "candidate"],
)
def test_a_wrong_version_changes_nothing(
    arguments: tuple[str, ...], message: str, checkout: Path
) -> None:
    done = release(checkout, *arguments)
    assert done.returncode != 0
    assert message in done.stderr
    assert images(checkout) == {version()}


def test_a_release_of_nothing_is_refused(checkout: Path) -> None:
    assert release(checkout, NEXT).returncode == 0
    again = release(checkout, "7.9.0")
    assert "nothing under Unreleased" in again.stderr
    assert images(checkout) == {NEXT}
    assert "already has a section" in release(checkout, NEXT).stderr
