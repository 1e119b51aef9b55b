"""External programs that some tests drive."""

import os
import shutil

import pytest


def require_tool(name: str) -> str:
    """Return the path of the program `name`.

    Without it the test is skipped, or fails where POKEWATCH_REQUIRE_TOOLS is set.
    """
    path = shutil.which(name)
    if path is not None:
        return path
    if os.environ.get("POKEWATCH_REQUIRE_TOOLS"):
        pytest.fail(f"{name} is not installed and POKEWATCH_REQUIRE_TOOLS is set; see .ci/run")
    pytest.skip(f"{name} is not installed")
