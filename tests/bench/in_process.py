"""Memory and processor time of the gateway with its models in one process, and with an MLServer.

    python -m tests.bench.in_process [--requests 4000] [--rounds 5] [--cards 20000]

Both answer the same requests, in turn in each round, so that other load on the machine affects
both. `cpu` is the processor time of all their processes for a request, `memory` the proportional
share of them (PSS) after the last round. A figure is the median over the rounds, and a ratio the
median of the ratios within a round, of two processes to one. The answer cache is off: every request
reaches the models.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import click
import psutil

from tests.in_process.processes import RunningGateway, gateway_process
from tests.serving.books import make_book
from tests.serving.server import models_folder, point_at, running

CONNECTIONS = (1, 64)


@dataclass(frozen=True)
class Deployment:
    """A gateway and the process ids of all that it consists of."""

    name: str
    gateway: RunningGateway
    pids: Sequence[int]

    def cpu(self) -> float:
        times = (psutil.Process(pid).cpu_times() for pid in self.pids)
        return sum(each.user + each.system for each in times)

    def memory(self) -> float:
        """Return the proportional set size in MiB."""
        return sum(psutil.Process(pid).memory_full_info().pss for pid in self.pids) / 2**20


@dataclass(frozen=True)
class Measured:
    rate: float
    cpu: float


def measure(deployment: Deployment, requests: int, connections: int, cards: int) -> Measured:
    """Return the requests a second, and processor seconds a request."""
    before, started = deployment.cpu(), time.perf_counter()
    asyncio.run(ask(deployment.gateway, requests, connections, cards))
    seconds = time.perf_counter() - started
    return Measured(requests / seconds, (deployment.cpu() - before) / requests)


async def ask(gateway: RunningGateway, requests: int, connections: int, cards: int) -> None:
    numbers = iter(range(requests))
    headers = {"X-API-Key": gateway.key}
    connector = aiohttp.TCPConnector(limit=connections)

    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def client() -> None:
            for number in numbers:
                body = {"card_id": f"card_{number * 7919 % cards}"}
                async with session.post(f"{gateway.url}/fair_price", json=body) as reply:
                    assert reply.status == 200, await reply.text()
                    await reply.read()

        await asyncio.gather(*(client() for _ in range(connections)))


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cards", type=int, default=20_000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        one, two = deployments(Path(scratch), options.cards, stack)
        for connections in CONNECTIONS:
            rounds = [
                [measure(each, options.requests, connections, options.cards) for each in (one, two)]
                for _ in range(options.rounds + 1)
            ][1:]  # the first warms up
            report(connections, rounds)
        memory = [each.memory() for each in (one, two)]
        click.echo(
            f"memory: {memory[0]:.0f} MiB in one process, {memory[1]:.0f} MiB in two; "
            f"ratio {memory[1] / memory[0]:.2f}"
        )


def deployments(folder: Path, cards: int, stack: ExitStack) -> tuple[Deployment, Deployment]:
    models = folder / "models"
    ports = models_folder(models)
    point_at(models, folder / "book", make_book(folder / "book", cards), "7")
    settings = {"POKEWATCH_ANSWER_CACHE": "0"}
    server = stack.enter_context(running(models, ports, {"POKEWATCH_HOME": str(folder / "two")}))
    alone = {"POKEWATCH_MLSERVER_MODELS": str(models), **settings}
    one = stack.enter_context(gateway_process(folder / "one", "--in-process", **alone))
    beside = {"POKEWATCH_MLSERVER_URL": server.url, **settings}
    two = stack.enter_context(gateway_process(folder / "two", **beside))
    return (
        Deployment("one process", one, [one.process.pid]),
        Deployment("two processes", two, [two.process.pid, server.process.pid]),
    )


def report(connections: int, rounds: Sequence[Sequence[Measured]]) -> None:
    rates = [statistics.median(each[at].rate for each in rounds) for at in (0, 1)]
    cpus = [statistics.median(each[at].cpu for each in rounds) * 1e6 for at in (0, 1)]
    rate_ratio = statistics.median(two.rate / one.rate for one, two in rounds)
    cpu_ratio = statistics.median(two.cpu / one.cpu for one, two in rounds)
    click.echo(
        f"{connections:3} connections: {rates[0]:,.0f}/s in one process, {rates[1]:,.0f}/s in two "
        f"(ratio {rate_ratio:.2f}); cpu {cpus[0]:,.0f} us and {cpus[1]:,.0f} us a request "
        f"(ratio {cpu_ratio:.2f})"
    )


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
