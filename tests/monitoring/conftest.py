"""Where monitoring keeps things in tests: this machine, a folder of a remote, and S3."""

from pathlib import Path

import pytest

from tests.s3 import reach


@pytest.fixture(params=["machine", "folder", "s3"])
def place(
    request: pytest.FixtureRequest, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """What POKEWATCH_DVC_REMOTE says, "" where it says nothing."""
    if request.param == "machine":
        return ""
    address = str(tmp_path / "remote")
    if request.param == "s3":
        address = f"s3://data/{tmp_path.name}"
        reach(request.getfixturevalue("s3"), monkeypatch)
    monkeypatch.setenv("POKEWATCH_DVC_REMOTE", address)
    return address
