"""The git commit that this code is of."""

import os
import subprocess
from pathlib import Path


def git_commit() -> str:
    """Return the commit of this code, "" if unknown.

    An image has it in POKEWATCH_GIT_COMMIT; in a checkout git is asked. An installed wheel may lie
    inside a repository of its user, whose commits are not those of this code.
    """
    if given := os.environ.get("POKEWATCH_GIT_COMMIT"):
        return given
    is_of_a_checkout = _git("ls-files", "--error-unmatch", Path(__file__).name)
    return _git("rev-parse", "HEAD") if is_of_a_checkout else ""


def _git(*arguments: str) -> str:
    """Return what git prints in the folder of this code, "" if it fails or is not installed."""
    folder = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
