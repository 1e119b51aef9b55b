"""A minute at half the gateway's rate with model reloads: python -m tests.bench.soak [--seconds 60]

The model is reloaded every two seconds. The rate is half of that measured just before at 64
connections with the answer cache off. Exits with 1 if a request failed or memory grew.
"""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import psutil
import uvloop

from pokewatch.gateway.upstream.http_client import TransportError, UpstreamHttpClient
from tests.bench.gateway import CARDS, FAIR_PRICE, BenchServers, Target, report, wrk
from tests.serving.books import make_book
from tests.serving.server import models_folder, point_at, reloads, running

CONNECTIONS = 64
MIB = 1_048_576


class SteadyLoad:
    """Requests at a steady rate over CONNECTIONS connections, counted by status or error."""

    def __init__(self, url: str, key: str, rate: float) -> None:
        self._url = url
        self._headers = f"x-api-key: {key}\r\n".encode()
        self._pause = CONNECTIONS / rate
        self.outcomes: Counter[str] = Counter()

    async def run(self, seconds: float) -> None:
        await asyncio.gather(*(self._connection(number, seconds) for number in range(CONNECTIONS)))

    async def _connection(self, number: int, seconds: float) -> None:
        """Send on schedule. After a slow answer the connection catches up."""
        loop = asyncio.get_running_loop()
        client = UpstreamHttpClient(self._url)
        due = loop.time() + self._pause * number / CONNECTIONS
        ends = loop.time() + seconds
        while due < ends:
            await asyncio.sleep(max(0.0, due - loop.time()))
            number += CONNECTIONS
            due += self._pause
            try:
                reply = await client.send(
                    "/fair_price", (FAIR_PRICE % (number % CARDS)).encode(), 10, self._headers
                )
                self.outcomes[str(reply.status)] += 1
            except TransportError as error:
                self.outcomes[str(error)] += 1
        client.close()


def measure(seconds: int) -> list[Target]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pokewatch-bench-")))
        books = [
            (folder / name, make_book(folder / name, count=CARDS, scale=scale))
            for name, scale in (("even", 1.0), ("odd", 1.1))
        ]
        ports = models_folder(folder / "models")
        point_at(folder / "models", *books[0], "0")
        server = stack.enter_context(
            running(folder / "models", ports, {"POKEWATCH_HOME": str(folder / "home")})
        )
        servers = BenchServers(folder, stack, server)
        url = servers.start_gateway(POKEWATCH_ANSWER_CACHE="0")
        gateway = psutil.Process(
            next(each.pid for each in psutil.Process().children() if _listens(each, url))
        )
        rate = wrk(url, CONNECTIONS, 5, servers.key).rate / 2

        async def load(length: float) -> tuple[Counter[str], int]:
            clients = SteadyLoad(url, servers.key, rate)
            _, count = await asyncio.gather(
                clients.run(length), reloads(server, books, length, 2.0)
            )
            return clients.outcomes, count

        async def scenario() -> tuple[Counter[str], int, float]:
            await load(min(15, seconds))
            before = gateway.memory_info().rss
            outcomes, count = await load(seconds)
            return outcomes, count, (gateway.memory_info().rss - before) / MIB

        outcomes, count, grown = uvloop.run(scenario())
        total = sum(outcomes.values())
        print(
            f"{total} requests in {seconds} s at {rate:.0f}/s; {count} reloads; {dict(outcomes)}",
            flush=True,
        )
    return [
        Target("soak: requests sent / scheduled", total / (rate * seconds), 0.99),
        Target("soak: failed", total - outcomes["200"], 0, at_most=True),
        Target("soak: memory growth, MiB", grown, 8, at_most=True),
    ]


def _listens(process: psutil.Process, url: str) -> bool:
    return any(
        each.laddr.port == int(url.rpartition(":")[2])
        for each in process.net_connections()
        if each.status == psutil.CONN_LISTEN
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="seconds of the load")
    return report(measure(parser.parse_args(arguments).seconds))


if __name__ == "__main__":
    sys.exit(main())
