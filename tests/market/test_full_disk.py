"""A disk that fills up while prices are collected."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pokewatch.market.lake import Lake

COLLECT = ("collect", "--days", "30", "--cards", "300", "--to", "2026-01-31")


def mounted(folder: Path, options: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(home: Path) -> Iterator[Path]:
    if not mounted(home, "size=4k"):
        pytest.skip("no right to mount a disk")
    yield home
    subprocess.run(["umount", str(home)], check=True)


def collect() -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pokewatch.cli.main", *COLLECT]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_rerun_goes_on(small_disk: Path) -> None:
    for size in ("4k", "64k", "200k"):
        assert mounted(small_disk, f"remount,size={size}")
        full = collect()
        assert full.returncode == 4, full.stderr
        (line,) = full.stderr.splitlines()
        assert "No space left on device" in line
        for root in (small_disk / "lake").glob("*"):
            lake = Lake(root)
            assert [
                lake.day(day).num_rows for day in lake.days() if not lake.day(day).num_rows
            ] == []
            assert list((root / ".incomplete").glob("*")) == []
    assert mounted(small_disk, "remount,size=50m")
    assert collect().returncode == 0
    assert len(Lake(next((small_disk / "lake").iterdir())).days()) == 30
