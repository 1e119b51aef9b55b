"""Pages of a search over 200,000 cards, through the gateway: python -m tests.bench.search

Searches for common, rare and missing words and for numbers are asked for one after the other, as
JSON and as HTML, with the answer cache off. Each figure is the median of its rounds, and the
slowest search is the one that counts. Exits with 1 if it misses the target.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

import httpx

from tests.bench.gateway import BenchServers, Target, report
from tests.serving.books import make_book
from tests.serving.server import models_folder, point_at, running

CARDS, DAYS = 200_000, 2
SEARCHES = (
    "q=pokemon",
    "q=e",
    "q=pokemon+199999",
    "q=19999",
    "q=set+17+pokemon",
    "q=charizard",
    "q=pokemon+999&rarity=rare",
    "set=set19999",
)
KINDS = ("application/json", "text/html")


def slowest(url: str, key: str, rounds: int) -> float:
    """Return the milliseconds of the slowest search, and print all."""
    found = []
    with httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=30) as client:
        for search in SEARCHES:
            for kind in KINDS:
                times = []
                for _ in range(rounds):
                    began = perf_counter()
                    client.get(f"/cards?{search}", headers={"Accept": kind}).raise_for_status()
                    times.append(1e3 * (perf_counter() - began))
                found.append(median(times))
                print(f"{search:42} {kind:18} {found[-1]:6.1f} ms", flush=True)
    return max(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pokewatch-bench-")))
        digest = make_book(folder / "book", CARDS, DAYS)
        ports = models_folder(folder / "models")
        point_at(folder / "models", folder / "book", digest, "1")
        environment = {"POKEWATCH_HOME": str(folder / "home")}
        server = stack.enter_context(running(folder / "models", ports, environment))
        servers = BenchServers(folder, stack, server)
        url = servers.start_gateway(POKEWATCH_ANSWER_CACHE="0")
        milliseconds = slowest(url, servers.key, rounds)
    name = f"milliseconds of a page of search over {CARDS:,} cards"
    return report([Target(name, milliseconds, 20, at_most=True)])


if __name__ == "__main__":
    sys.exit(main())
