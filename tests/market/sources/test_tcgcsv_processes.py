"""Runs that are killed, and runs at the same time: separate processes, in real time."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.market.tcgcsv_server import CARDS, GROUPS, TcgcsvServer, WallClock, day_sets, serving

pytestmark = pytest.mark.integration

PAGES = 1 + 2 + 2 * len(GROUPS) + 1  # and one request that finds the archive closed


@pytest.fixture
def live() -> Iterator[TcgcsvServer]:
    with serving(TcgcsvServer(WallClock(), day_sets(), latency=0.01)) as running:
        yield running


def started(server: TcgcsvServer, home: Path, **settings: str) -> subprocess.Popen[str]:
    """Start a collection of the latest day, into the lake of `home`."""
    environment = {
        **os.environ,
        "POKEWATCH_HOME": str(home),
        "POKEWATCH_TCGCSV_URL": server.url,
        "POKEWATCH_TCGCSV_PAUSE": "0.1",
        "PYTHONPATH": os.pathsep.join(sys.path),
        **settings,
    }
    command = ["collect", "--source", "tcgcsv", "--days", "1", "--json"]
    return subprocess.Popen(
        [sys.executable, "-m", "pokewatch.cli.main", *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def report(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return json.loads(output)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "path",
    ["/tcgplayer/3/9/prices", pytest.param("/tcgplayer/3/9/products", marks=pytest.mark.slow)],
)
def test_a_killed_run_is_continued(live: TcgcsvServer, home: Path, path: str) -> None:
    def kill(requested: str) -> None:
        if requested == path and live.paths.count(path) == 1:
            process.kill()
            process.wait()
            raise ConnectionResetError  # the page is not answered

    live.before = kill
    process = started(live, home)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL

    rerun = report(started(live, home))
    assert rerun["rows"] == CARDS * len(GROUPS)
    assert live.breaches == []
    assert set(live.answered.values()) == {1}
    assert len(live.paths) == PAGES + 1
    assert rerun["requests"]["in_24_hours"] == PAGES + 1


@pytest.mark.slow
def test_two_processes_share_pages_pace_and_budget(live: TcgcsvServer, home: Path) -> None:
    live.failing["/tcgplayer/3/2/prices"] = 1
    processes = [started(live, home) for _ in range(2)]
    reports = [report(process) for process in processes]

    assert live.breaches == []
    assert set(live.answered.values()) == {1}
    assert len(live.paths) == PAGES + 1
    assert sum(each["requests"]["sent"] for each in reports) == PAGES + 1


@pytest.mark.slow
def test_the_budget_is_of_both_processes(live: TcgcsvServer, home: Path) -> None:
    processes = [started(live, home, POKEWATCH_TCGCSV_DAILY_REQUESTS="15") for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in processes]

    assert [process.returncode for process in processes] == [4, 4]
    assert all("15 requests in 24 hours is the limit" in error for error in errors)
    assert all("15 of at most 15 in 24 hours" in error for error in errors)
    assert len(live.paths) == 15
    assert live.breaches == []
