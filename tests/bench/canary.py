"""A gateway during a canary against one without: python -m tests.bench.canary [--seconds 8]

Each has an MLServer of its own. During the canary a challenger in the same MLServer answers the
callers of 6 of 64 connections, and its first answers are compared with the champion's. The answer
cache is off. CPU time is that of the gateway and the MLServer. Exits with 1 if a ratio misses its
target.
"""

import argparse
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

from pokewatch.contract import FAIR_PRICE, FAIR_PRICE_CHALLENGER
from pokewatch.gateway.api.markets.assignment import position
from pokewatch.gateway.auth.keys import KeyStore
from tests.bench.gateway import CARDS, BenchServers, Target, report, wrk
from tests.serving.books import make_book
from tests.serving.server import MODELS, models_folder, point_at, running

SHARE = 0.1
CONNECTIONS = 64
ROUNDS = 7


def add_challenger(models: Path, book: Path, digest: str) -> None:
    """Add a challenger, which answers a share of the callers, to a models folder."""
    canary = {"id": "bench", "share": SHARE}
    settings = json.loads((MODELS / FAIR_PRICE / "model-settings.json").read_text()) | {
        "name": FAIR_PRICE_CHALLENGER,
        "parameters": {
            "uri": str(book),
            "extra": {"digest": digest, "model_version": "2", "canary": canary},
        },
    }
    (models / FAIR_PRICE_CHALLENGER).mkdir()
    (models / FAIR_PRICE_CHALLENGER / "model-settings.json").write_text(json.dumps(settings))


def caller_keys(store: KeyStore) -> tuple[list[str], list[str]]:
    """Return the keys of callers that the challenger answers, and of others: one a connection."""
    challenger: list[str] = []
    champion: list[str] = []
    many = round(SHARE * CONNECTIONS)
    while len(challenger) < many or len(champion) < CONNECTIONS - many:
        key = store.create("caller", rate="none")
        included = position(key.id, "bench") < SHARE
        (challenger if included else champion).append(key.key)
    return challenger[:many], champion[: CONNECTIONS - many]


def rate(url: str, callers: tuple[list[str], list[str]], seconds: int) -> tuple[float, int]:
    """Return the requests per second of both kinds of callers at once, and the errors.

    wrk cannot give a connection a key of its own, so each kind has a process and a key.
    """
    with ThreadPoolExecutor(2) as pool:
        loads = list(pool.map(lambda keys: wrk(url, len(keys), seconds, keys[0]), callers))
    return sum(load.rate for load in loads), sum(load.errors for load in loads)


def cpu(processes: list[psutil.Process]) -> float:
    """Return the seconds of CPU time that processes have used."""
    times = [each.cpu_times() for each in processes]
    return sum(each.user + each.system for each in times)


def servers(folder: Path, stack: ExitStack, *, canary: bool) -> BenchServers:
    """Return an MLServer, with or without a challenger, and what starts gateways of it."""
    models = folder / ("canary" if canary else "without")
    digest = make_book(folder / "book", count=CARDS)
    ports = models_folder(models)
    point_at(models, folder / "book", digest, "1")
    if canary:
        add_challenger(models, folder / "book", digest)
    home = {"POKEWATCH_HOME": str(folder / "home")}
    return BenchServers(folder, stack, stack.enter_context(running(models, ports, home)))


@dataclass
class Gateway:
    """A gateway with its MLServer, and what was measured of them in each round."""

    url: str
    processes: list[psutil.Process]
    rates: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)  # seconds a request
    errors: int = 0

    @classmethod
    def start(cls, servers: BenchServers) -> "Gateway":
        known = psutil.Process().children()
        url = servers.start_gateway(POKEWATCH_ANSWER_CACHE="0")
        started = [child for child in psutil.Process().children() if child not in known]
        return cls(url, [*started, psutil.Process(servers.mlserver.process.pid)])

    def measure(self, callers: tuple[list[str], list[str]], seconds: int) -> None:
        before = cpu(self.processes)
        found, errors = rate(self.url, callers, seconds)
        self.rates.append(found)
        self.cpus.append((cpu(self.processes) - before) / (found * seconds))
        self.errors += errors

    def __str__(self) -> str:
        return f"{median(self.rates):8.0f}/s   {median(self.cpus) * 1e6:4.0f} us of CPU a request"


def measure(seconds: int) -> list[Target]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pokewatch-bench-")))
        both = [servers(folder, stack, canary=canary) for canary in (False, True)]
        callers = caller_keys(KeyStore(both[0].home / "keys.sqlite"))
        without, during = [Gateway.start(each) for each in both]
        for _ in range(ROUNDS):
            for gateway in (without, during):
                gateway.measure(callers, seconds)
    print(f"without  {without}", f"canary   {during}", sep="\n", flush=True)
    rates = median(x / y for x, y in zip(during.rates, without.rates, strict=True))
    cpus = median(x / y for x, y in zip(during.cpus, without.cpus, strict=True))
    return [
        Target(f"{CONNECTIONS} connections: rate during a canary / without", rates, 0.9),
        Target("CPU time a request: during a canary / without", cpus, 1.11, at_most=True),
        Target("errors", during.errors + without.errors, 0, at_most=True),
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8, help="seconds of each load")
    return report(measure(parser.parse_args(arguments).seconds))


if __name__ == "__main__":
    sys.exit(main())
