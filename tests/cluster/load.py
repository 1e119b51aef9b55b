"""Requests at a steady rate through the NodePort, while something happens to the system."""

import asyncio
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from pokewatch.gateway.upstream.http_client import ConnectError, TransportError, UpstreamHttpClient

_CONNECTIONS = 8
_TIMEOUT = 10.0


@dataclass
class Load:
    """The outcomes of requests: their statuses or errors, latencies and model versions."""

    url: str
    key: str
    cards: Sequence[str]
    rate: float  # requests per second
    outcomes: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    latest_version: str = ""
    stopped: bool = False

    @property
    def failed(self) -> int:
        return self.outcomes.total() - self.outcomes["200"]

    @property
    def p95(self) -> float:
        """The 95th percentile of the latency, in milliseconds."""
        return 1000 * statistics.quantiles(self.latencies, n=20)[-1]

    def report(self) -> str:
        total = self.outcomes.total()
        return f"{self.failed} of {total} requests failed; p95 {self.p95:.0f} ms"

    async def run(self) -> None:
        await asyncio.gather(*(self._connection(number) for number in range(_CONNECTIONS)))

    async def _connection(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        client = UpstreamHttpClient(self.url)
        due = loop.time() + number / self.rate
        while not self.stopped:
            await asyncio.sleep(max(0.0, due - loop.time()))
            # after a slow answer the connection does not catch up
            due = max(due, loop.time()) + _CONNECTIONS / self.rate
            number += _CONNECTIONS
            await self._request(client, self.cards[number % len(self.cards)])
        client.close()

    async def _request(self, client: UpstreamHttpClient, card: str) -> None:
        started = time.monotonic()
        try:
            status, body = await self._send(client, card)
        except TransportError as error:
            self.outcomes[f"{type(error).__name__}: {error}"] += 1
            return
        self.latencies.append(time.monotonic() - started)
        self.outcomes[str(status)] += 1
        if status == 200:
            self.latest_version = msgspec.json.decode(body)["model_version"]
            self.versions[self.latest_version] += 1

    async def _send(self, client: UpstreamHttpClient, card: str) -> tuple[int, bytes]:
        """Send a request. Where no connection is made, try again, as proxies do."""
        headers = f"x-api-key: {self.key}\r\n".encode()
        body = msgspec.json.encode({"card_id": card})
        for attempt in range(4):
            try:
                reply = await client.send("/fair_price", body, _TIMEOUT, headers)
            except ConnectError:
                if attempt == 3:
                    raise
                await asyncio.sleep(0.2)
            else:
                return reply.status, reply.body
        raise AssertionError("unreachable")


@contextmanager
def load(url: str, key: str, cards: Sequence[str], rate: float) -> Iterator[Load]:
    """Send requests in a thread until the end of the block."""
    found = Load(url, key, cards, rate)
    thread = threading.Thread(target=lambda: asyncio.run(found.run()))
    thread.start()
    try:
        yield found
    finally:
        found.stopped = True
        thread.join()
