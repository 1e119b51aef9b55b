"""The workflows pin what they run, may do little, and call targets that exist."""

import re
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
_PINNED = re.compile(r"^[\w-]+/[\w-]+@[0-9a-f]{40}$")


def _steps(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text())["jobs"]
    return list(chain.from_iterable(job["steps"] for job in jobs.values()))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_keep_no_credentials(path: Path) -> None:
    for step in _steps(path):
        if "uses" in step:
            assert _PINNED.match(step["uses"])
            assert "checkout" not in step["uses"] or step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_permissions_are_to_read_and_only_images_are_written(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job.get("permissions", {}).items() <= {"contents": "read", "packages": "write"}.items()
        assert job["timeout-minutes"] <= 60


def test_what_is_called_is_in_the_makefile() -> None:
    called = {target for path in WORKFLOWS for step in _steps(path) for target in re.findall(r"\bmake ([a-z-]+)", step.get("run", ""))}
    assert called == {"setup", "test", "images", "sbom", "deploy", "verify", "rollback"}
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in called)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_that_others_write_is_put_into_a_script(path: Path) -> None:
    for step in _steps(path):
        assert not re.search(r"\$\{\{\s*(github\.event|github\.head_ref|inputs|secrets)", step.get("run", ""))
