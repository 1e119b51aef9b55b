"""A gateway during a canary against one without: python -m tests.bench.canary [--seconds 8]

Each has an MLServer of its own. During the canary a challenger in the same MLServer answers 10% of
100 callers, and its first answers are compared with the champion's. The answer cache is off. CPU
time is that of the gateway and the MLServer. Exits with 1 if a ratio misses its target.
"""

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from itertools import count, islice, tee
from pathlib import Path

import psutil

from pokewatch.contract import FAIR_PRICE, FAIR_PRICE_CHALLENGER
from pokewatch.gateway.api.markets.assignment import Assignment
from pokewatch.gateway.auth.keys import KeyStore
from tests.bench.gateway import CARDS, BenchServers, Rounds, Target, report
from tests.serving.books import make_book
from tests.serving.server import MODELS, models_folder, point_at, running

CALLERS = 100
SHARE = 0.1
CONNECTIONS = 64


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


def caller_keys(store: KeyStore) -> list[str]:
    """Return the keys of CALLERS callers, of which the challenger answers exactly SHARE."""
    assignment = Assignment("bench")
    new = (store.create("caller", rate="none") for _ in count())
    included, others = tee((assignment.position(key.id) < SHARE, key.key) for key in new)
    many = round(SHARE * CALLERS)
    return [
        *islice((key for inside, key in included if inside), many),
        *islice((key for inside, key in others if not inside), CALLERS - many),
    ]


def cpu(processes: list[psutil.Process]) -> float:
    """Return the seconds of CPU time that processes have used."""
    times = [each.cpu_times() for each in processes]
    return sum(each.user + each.system for each in times)


def measure(seconds: int) -> list[Target]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pokewatch-bench-")))
        found = {"without": servers(folder, stack, canary=False)}
        found["canary"] = servers(folder, stack, canary=True)
        store = KeyStore(found["canary"].home / "keys.sqlite")
        keys = caller_keys(store)
        urls: dict[str, str] = {}
        processes: dict[str, list[psutil.Process]] = {}
        for name, each in found.items():
            known = psutil.Process().children()
            urls[name] = each.start_gateway(POKEWATCH_ANSWER_CACHE="0")
            gateway = [child for child in psutil.Process().children() if child not in known]
            processes[name] = [*gateway, psutil.Process(each.mlserver.process.pid)]
        before = {name: cpu(each) for name, each in processes.items()}
        both = Rounds(urls, CONNECTIONS, seconds, ",".join(keys))
        used = {
            name: (cpu(each) - before[name]) / seconds / sum(x.rate for x in both.loads(name))
            for name, each in processes.items()
        }
    print(*(f"{name}: {each * 1e6:.0f} us of CPU time a request" for name, each in used.items()))
    return [
        Target("64 connections: during a canary / without", both.ratio("canary", "without"), 0.9),
        Target(
            "CPU time a request: during a canary / without",
            used["canary"] / used["without"],
            1.11,
            at_most=True,
        ),
        Target("errors", both.errors("canary") + both.errors("without"), 0, at_most=True),
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8, help="seconds of each load")
    return report(measure(parser.parse_args(arguments).seconds))


if __name__ == "__main__":
    sys.exit(main())
