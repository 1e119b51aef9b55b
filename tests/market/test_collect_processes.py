"""Collections that are killed, and two at once."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pokewatch.market.collect import collect
from pokewatch.market.lake import Lake
from tests.market.three_days import CARDS, DAYS, FIRST, day_rows, source
from tests.market.upstream import Reply, Request, Upstream, archive_path, price

pytestmark = pytest.mark.integration

# A collector process, killed while the server delays an answer, or at the n-th write of a file.
COLLECTOR = """
import os, signal, sys
from datetime import date
from pathlib import Path
from pokewatch.market import lake as lakes
from pokewatch.market.collect import collect
from pokewatch.market.sources.tcgcsv import TcgcsvSource
from pokewatch.settings import SourceSettings

url, root, last = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
replace, count = Path.replace, 0

def counted(path, target):
    global count
    count += 1
    if count == abs(last) and last > 0:
        os.kill(os.getpid(), signal.SIGKILL)
    done = replace(path, target)
    if count == abs(last) and last < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

Path.replace = counted
settings = SourceSettings.read(tcgcsv_url=url)
collect(TcgcsvSource(settings), lakes.Lake(root), [date(2025, 10, day) for day in (22, 23, 24)])
print("done")
"""


def collector(upstream: Upstream, lake: Lake, kill_at_write: int = 0) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", COLLECTOR, upstream.url, str(lake.root), str(kill_at_write)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def assert_whole(lake: Lake) -> None:
    """Every day reads whole, and no price lacks its card."""
    known = set(lake.catalog()["card_id"].to_pylist()) if lake.has_catalog() else set()
    for day in lake.days():
        assert lake.day(day).num_rows == CARDS
        assert set(lake.day(day)["card_id"].to_pylist()) <= known
        assert lake.quarantined(day).num_rows == 1


@pytest.fixture
def flawed(served: Upstream) -> Upstream:
    """Each day has a row for quarantine, so that a day writes two files."""
    for day in DAYS:
        served.archive(day, {(3, 1): [*day_rows(day), price(999, -1.0)]})
    return served


# Three downloads, the catalogue, and quarantine and prices of each day are ten renames: the process
# is killed before each, and after the last.
@pytest.mark.slow
@pytest.mark.parametrize("write", [*range(1, 11), -10])
def test_killed_at_any_write_the_lake_reads_whole_and_a_rerun_completes(
    flawed: Upstream, lake: Lake, write: int
) -> None:
    process = collector(flawed, lake, write)
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert_whole(lake)
    assert collect(source(flawed), lake, DAYS[:3]).held == {}
    assert_whole(lake)
    assert lake.days() == DAYS[:3]


@pytest.mark.parametrize("write", [-5, pytest.param(8, marks=pytest.mark.slow)])
def test_killed_at_some_writes(flawed: Upstream, lake: Lake, write: int) -> None:
    test_killed_at_any_write_the_lake_reads_whole_and_a_rerun_completes(flawed, lake, write)


def test_killed_while_waiting_for_the_server(flawed: Upstream, lake: Lake) -> None:
    path = "/tcgplayer/3/1/products"
    good = flawed.routes[path]
    flawed.routes[path] = Reply(stall=True)
    process = collector(flawed, lake)
    assert flawed.stalled.wait(60)
    process.kill()
    process.communicate()

    assert_whole(lake)
    flawed.routes[path] = good
    flawed.released.set()
    collect(source(flawed), lake, DAYS[:3])
    assert_whole(lake)
    assert lake.days() == DAYS[:3]


def test_two_collectors_at_once_agree(served: Upstream, lake: Lake) -> None:
    barrier = threading.Barrier(2, timeout=30)
    good = served.routes[archive_path(FIRST)]
    assert isinstance(good, Reply)

    def together(_: Request) -> Reply:
        barrier.wait()
        return good

    served.routes[archive_path(FIRST)] = together
    with ThreadPoolExecutor(2) as pool:
        reports = [pool.submit(collect, source(served), lake, DAYS[:1]) for _ in range(2)]

    assert all(report.result().held == {} for report in reports)
    assert lake.days() == DAYS[:1]
    assert lake.day(FIRST).num_rows == CARDS
