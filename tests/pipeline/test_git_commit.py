"""The commit of the code, in a checkout and elsewhere."""

import subprocess
from pathlib import Path

import pytest

from pokewatch.pipeline import git_commit as module
from pokewatch.pipeline.git_commit import git_commit

IDENTITY = ["-c", "user.name=user", "-c", "user.email=user@example.com"]


@pytest.fixture(autouse=True)
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module in a folder of a repository that has a commit, but not of the module."""
    monkeypatch.delenv("POKEWATCH_GIT_COMMIT", raising=False)
    for command in (["init", "-q"], [*IDENTITY, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    path = tmp_path / "site-packages" / "module.py"
    path.parent.mkdir()
    path.touch()
    monkeypatch.setattr(module, "__file__", str(path))
    return path


def test_that_of_an_image_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKEWATCH_GIT_COMMIT", "abc")
    assert git_commit() == "abc"


def test_that_of_a_checkout_is_its_head(code: Path) -> None:
    subprocess.run(["git", "add", "."], cwd=code.parent, check=True)
    head = ["git", "rev-parse", "HEAD"]
    printed = subprocess.run(head, cwd=code.parent, check=True, capture_output=True, text=True)
    assert git_commit() == printed.stdout.strip()


def test_code_installed_inside_the_repository_of_its_user_has_none() -> None:
    assert git_commit() == ""


def test_it_is_unknown_where_git_is_missing(
    code: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    subprocess.run(["git", "add", "."], cwd=code.parent, check=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit() == ""
