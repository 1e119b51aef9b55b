"""`make images` with the builders that a machine has."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.tools import require_tool

BUILDERS = ("docker", "podman", "buildah")


def _make_images(folder: Path, *builders: str) -> subprocess.CompletedProcess[str]:
    """Run it where no programs but these builders are, which print their arguments."""
    for name in ("make", "sh", "sed", "git"):
        (folder / name).symlink_to(require_tool(name))
    for name in builders:
        program = folder / name
        program.write_text('#!/bin/sh\necho "${0##*/} $*"\n')
        program.chmod(0o755)
    env = {name: value for name, value in os.environ.items() if name != "BUILDER"}
    return subprocess.run(
        ["make", "--no-print-directory", "images"],
        cwd=ROOT,
        env=env | {"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_builder_it_names_those_that_would_do(tmp_path: Path) -> None:
    done = _make_images(tmp_path)
    assert done.returncode != 0
    assert done.stdout == ""
    error, _ = done.stderr.splitlines()  # the second is make's own
    assert error == (
        "make images needs docker, podman or buildah, and none was found. "
        "Install one, or give its path: make images BUILDER=/path/to/docker"
    )


@pytest.mark.parametrize("at", range(len(BUILDERS)), ids=BUILDERS)
def test_the_first_builder_that_there_is_builds_every_image(at: int, tmp_path: Path) -> None:
    done = _make_images(tmp_path, *BUILDERS[at:])
    assert done.returncode == 0, done.stderr
    built = [line.split() for line in done.stdout.splitlines()]
    assert [words[0] for words in built] == [BUILDERS[at]] * 3
    targets = [words[words.index("--target") + 1] for words in built]
    assert targets == ["pipeline", "serving", "gateway"]
