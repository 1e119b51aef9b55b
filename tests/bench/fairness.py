"""A client's latency under another's heavy load: python -m tests.bench.fairness [--seconds 10]

The attacker stays within its limits: the most expensive V2 bodies and batches, 100 a minute;
scrapes of the metrics port and loads of the model, each as fast as they are answered. Measurements
alone and under attack alternate, since the speed of the machine may double from one minute to the
next. Exits with 1 if a median more than doubled.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from itertools import cycle
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from tests.bench.gateway import CARDS, FAIR_PRICE, BenchServers, SocketClient, Target, report
from tests.conftest import ROOT
from tests.serving.server import free_ports, models_folder, running

ROUNDS = 3
RATE = 100 / 60  # requests per second of a key
SCRAPERS = LOADERS = 10


def bodies() -> list[tuple[str, bytes]]:
    """Return the paths and bodies that cost most, accepted or refused for their size."""
    number = "1.7976931348623157e308"
    card = '{"inputs":[{"name":"card_id","shape":[1],"datatype":"BYTES","data":["card_1"]}]'
    v2 = [
        card + ',"outputs":[' + ",".join(['{"name":"status"}'] * 13_000) + "]}",
        card + ',"parameters":{"x":[' + ",".join([number] * 11_000) + "]}}",
        card + ',"parameters":{"x":[' + ",".join(["9" * 4_000] * 64) + "]}}",
        card + ',"parameters":{"x":[' + ",".join(["[[1]]"] * 5_000) + "]}}",
        json.dumps(
            {
                "inputs": [
                    {
                        "name": "card_id",
                        "shape": [1_000],
                        "datatype": "BYTES",
                        "data": ["x" * 80] * 1_000,
                    }
                ]
            }
        ),
    ]
    cards = [
        {"cards": [{"card_id": "X" * 80, "date": "2026-13-01"}] * 1_000},
        {
            "cards": [
                {"card_id": f"card_{number}", "market_price": 4.0 + number}
                for number in range(1_000)
            ]
        },
    ]
    requests = [("/v2/models/pokewatch/infer", body) for body in v2]
    requests += [("/v2/models/fair-price/infer", body) for body in v2]
    requests += [("/fair_price/batch", json.dumps(body)) for body in cards]
    return [(path, body.encode()) for path, body in requests]


def send_bodies(url: str, key: str) -> None:
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    for path, body in cycle(bodies()):
        assert _status(url, "POST", path, body, headers) < 500
        time.sleep(1 / RATE)


def repeat(url: str, method: str, path: str, callers: int) -> None:
    """Send requests from `callers` threads without a pause."""

    def send() -> None:
        while True:
            assert _status(url, method, path) == 200

    for _ in range(callers):
        threading.Thread(target=send).start()


def _status(
    url: str,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> int:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=300)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def _attack(started: Event, attack: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    os.nice(19)  # a real attacker has a machine of its own
    started.set()
    attack(*arguments)


@contextmanager
def under(attack: Callable[..., None], *arguments: Any) -> Iterator[None]:
    spawn = multiprocessing.get_context("spawn")
    started = spawn.Event()
    process = spawn.Process(target=_attack, args=(started, attack, arguments))
    process.start()
    try:
        started.wait()
        yield
        assert process.is_alive(), "the attack has failed"
    finally:
        process.kill()
        process.join()


def latency(victim: SocketClient, seconds: float) -> float:
    """Return the median of sequential requests in milliseconds."""
    times: list[float] = []
    ends = perf_counter() + seconds
    while perf_counter() < ends:
        started = perf_counter()
        victim.post("/fair_price", FAIR_PRICE % (len(times) % CARDS))
        times.append(perf_counter() - started)
    return median(times) * 1e3


def ratio(name: str, victim: SocketClient, seconds: float, attack: tuple[Any, ...]) -> float:
    """Return the latency under attack over the latency alone, the median of ROUNDS."""
    ratios = []
    for _ in range(ROUNDS):
        alone = latency(victim, seconds)
        with under(*attack):
            attacked = latency(victim, seconds)
        ratios.append(attacked / alone)
        print(
            f"{name:24} alone {alone:6.2f} ms   attacked {attacked:6.2f} ms   "
            f"x {attacked / alone:.2f}",
            flush=True,
        )
    return median(ratios)


CHAMPION = """
from pathlib import Path
from pokewatch.registry import CHAMPION, Registry
from tests.serving.books import make_book
folder = Path({folder!r})
digest = make_book(folder, count={cards})
registry = Registry()
run = registry.log_run(folder, parameters={{}}, metrics={{}}, tags={{"data_version": "dv-1"}})
registry.set_alias(CHAMPION, registry.register(run, digest).version)
"""


def make_champion(home: Path, book: Path) -> None:
    """Register a champion in a subprocess, to keep MLflow out of this one."""
    code = CHAMPION.format(folder=str(book), cards=CARDS)
    environment = {**os.environ, "POKEWATCH_HOME": str(home), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)


def measure(seconds: float) -> list[Target]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pokewatch-bench-")))
        make_champion(folder / "home", folder / "book")
        ports = models_folder(folder / "models")
        server = stack.enter_context(
            running(folder / "models", ports, {"POKEWATCH_HOME": str(folder / "home")})
        )
        servers = BenchServers(folder, stack, server)
        [metrics] = free_ports(1)
        url = servers.start_gateway(
            POKEWATCH_ANSWER_CACHE="0", POKEWATCH_GATEWAY_METRICS_PORT=str(metrics)
        )
        victim = SocketClient(url, servers.key)
        latency(victim, 2)
        load = "/v2/repository/models/fair-price/load"
        attacks: dict[str, tuple[Any, ...]] = {
            "V2 bodies and batches": (send_bodies, url, servers.key),
            "scrapes": (repeat, f"http://127.0.0.1:{metrics}", "GET", "/metrics", SCRAPERS),
            "loads": (repeat, server.url, "POST", load, LOADERS),
        }
        found = {name: ratio(name, victim, seconds, attack) for name, attack in attacks.items()}
        return [
            Target(f"median under {name} / alone", value, 2, at_most=True)
            for name, value in found.items()
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="seconds of each measurement")
    return report(measure(parser.parse_args(arguments).seconds))


if __name__ == "__main__":
    sys.exit(main())
