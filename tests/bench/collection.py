"""The time to value a collection of 10,000 lines: python -m tests.bench.collection [--rounds 5]

By `POST /collections/value` of a gateway in front of a real MLServer, and by
`pokewatch collection value`, on a book of 43,000 cards and 120 days. The lines are of distinct
cards, a tenth of them misspelt or of no card. Exits with 1 if a figure misses its target.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

import httpx
import psutil

from pokewatch.registry import CHAMPION, Registry
from tests.bench.gateway import BenchServers, Target, report
from tests.serving.books import make_book
from tests.serving.server import models_folder, point_at, running

CARDS, DAYS, LINES = 43_000, 120, 10_000
TARGET_SECONDS = 3


def collection() -> str:
    """Return a file of LINES lines."""
    lines = ["name,set,number,printing,condition,quantity"]
    for line in range(LINES):
        card = line * CARDS // LINES
        name = ("Pokémon", "Pokemon", "Pokmon", "Nobody")[line // 10 % 4 if line % 10 == 0 else 0]
        lines.append(
            f"{name} {card},Set {card // 10},{card:03}/100,Normal,{'NM' if line % 3 else 'LP'},2"
        )
    return "\n".join(lines) + "\n"


def by_gateway(folder: Path, digest: str, content: str, rounds: int) -> tuple[float, list[float]]:
    """Return the seconds of the first request, and of each further one."""
    with ExitStack() as stack:
        ports = models_folder(folder / "models")
        point_at(folder / "models", folder / "book", digest, "7")
        home = {"POKEWATCH_HOME": str(folder / "home")}
        server = stack.enter_context(running(folder / "models", ports, home))
        servers = BenchServers(folder, stack, server)
        url = f"{servers.start_gateway(POKEWATCH_COLLECTION_SECONDS='300')}/collections/value"
        headers = {"X-API-Key": servers.key, "Content-Type": "text/csv"}
        with httpx.Client(timeout=300, headers=headers) as client:
            process, times = psutil.Process(server.process.pid), []
            for _ in range(rounds + 1):
                before = process.cpu_times().user
                times.append(_posted(client, url, content))
                print(f"{times[-1]:.2f} s, {process.cpu_times().user - before:.2f} s of CPU")
    return times[0], times[1:]


def _posted(client: httpx.Client, url: str, content: str) -> float:
    started = perf_counter()
    response = client.post(url, content=content.encode())
    seconds = perf_counter() - started
    assert response.status_code == 200, response.text
    assert len(response.json()["lines"]) == LINES
    return seconds


def by_command(folder: Path, digest: str, content: str, rounds: int) -> list[float]:
    """Return the seconds of each command, from its start to its end."""
    os.environ["POKEWATCH_HOME"] = str(folder / "registry")
    registry = Registry()
    run = registry.log_run(
        folder / "book",
        parameters={"model": "local_level", "horizon": 7},
        metrics={},
        tags={"data_version": "d" * 32, "git_commit": "abc"},
        documents={},
    )
    registry.set_alias(CHAMPION, registry.register(run, digest).version)
    (folder / "collection.csv").write_text(content)
    command = [sys.executable, "-m", "pokewatch.cli.main", "collection", "value"]
    times = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        started = perf_counter()
        subprocess.run(
            [*command, str(folder / "collection.csv"), "--json"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        times.append(perf_counter() - started)
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        print(f"{times[-1]:.2f} s, {used:.2f} s of CPU")
    return times


def measure(rounds: int) -> list[Target]:
    with tempfile.TemporaryDirectory() as name:
        folder, content = Path(name), collection()
        digest = make_book(folder / "book", CARDS, DAYS)
        first, further = by_gateway(folder, digest, content, rounds)
        commands = by_command(folder, digest, content, rounds)
    return [
        Target("10,000 lines by the gateway, s", median(further), TARGET_SECONDS, at_most=True),
        Target("the first of them after a load, s", first, 2 * TARGET_SECONDS, at_most=True),
        Target("10,000 lines by the command, s", median(commands), TARGET_SECONDS, at_most=True),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="number of further requests")
    return report(measure(parser.parse_args(arguments).rounds))


if __name__ == "__main__":
    sys.exit(main())
