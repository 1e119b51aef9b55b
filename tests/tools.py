"""External programs that some tests drive."""

import os
import shutil

import pytest


def require_tool(name: str) -> str:
    """The path of the program `name`; skips the test without it, or fails where POKEWATCH_REQUIRE_TOOLS is set."""
    path = shutil.which(name)
    if path is not None:
        return path
    if os.environ.get("POKEWATCH_REQUIRE_TOOLS"):
        pytest.fail(f"{name} is not installed and POKEWATCH_REQUIRE_TOOLS is set")
    pytest.skip(f"{name} is not installed")
