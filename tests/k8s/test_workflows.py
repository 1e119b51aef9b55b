"""The workflows pin what they run, may do little, and call targets that exist."""

import re
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.tools import require_tool

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# Only the job that publishes images may write: the images, and their provenance.
_MAY = {"contents": "read", "packages": "write", "id-token": "write", "attestations": "write"}
_PINNED = re.compile(r"^[\w-]+/[\w-]+@[0-9a-f]{40}$")


def _steps(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text())["jobs"]
    return list(chain.from_iterable(job.get("steps", ()) for job in jobs.values()))


def _load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())
    return found


def test_actionlint_finds_nothing() -> None:
    found = subprocess.run(
        [require_tool("actionlint")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout


def test_zizmor_finds_nothing() -> None:
    program = str(Path(sys.executable).with_name("zizmor"))
    command = [program, "--offline", "--quiet", "--persona", "auditor", ".github"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    ("name", "job", "script"),
    [("test.yml", "test", ".ci/run"), ("nightly.yml", "slow", ".ci/run nightly")],
)
def test_ci_runs_the_script_that_requires_every_tool(name: str, job: str, script: str) -> None:
    found = _load(name)["jobs"][job]
    assert found["steps"][-1]["run"].endswith(script)
    assert "export POKEWATCH_REQUIRE_TOOLS=1" in (ROOT / ".ci" / "run").read_text()


def test_the_nightly_run_on_kind_is_what_the_documentation_says() -> None:
    job = _load("nightly.yml")["jobs"]["kind"]
    assert job["env"]["POKEWATCH_REQUIRE_TOOLS"] == "1"
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    (block,) = re.findall(r"On kind, with Docker:\n\n(.*?)\n\n", page, re.DOTALL)
    documented = [line.strip() for line in block.splitlines()]
    run = [line for step in job["steps"] for line in step.get("run", "").splitlines()]
    assert [line.replace(" PYTHON=python3.11", "") for line in run] == documented


def test_images_are_published_only_after_the_tests_and_the_scan() -> None:
    jobs = _load("images.yml")["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/test.yml"
    assert all(job.get("needs") == "test" for name, job in jobs.items() if name != "test")
    names = [step.get("name") for step in jobs["images"]["steps"]]
    order = ("Build", "Scan", "Push", "State its provenance")
    assert sorted(order, key=names.index) == list(order)


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
        assert job.get("permissions", {}).items() <= _MAY.items()
        assert "uses" in job or job["timeout-minutes"] <= 180


def test_what_is_called_is_in_the_makefile() -> None:
    scripts = [step.get("run", "") for path in WORKFLOWS for step in _steps(path)]
    called = set(re.findall(r"\bmake (?:--silent )?([a-z-]+)", "\n".join(scripts)))
    cluster = {"deploy", "verify", "rollback", "test-cluster"}
    assert called == {"images", "sbom", "version"} | cluster
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in called)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_that_others_write_is_put_into_a_script(path: Path) -> None:
    for step in _steps(path):
        assert not re.search(
            r"\$\{\{\s*(github\.event|github\.head_ref|inputs|secrets)", step.get("run", "")
        )
