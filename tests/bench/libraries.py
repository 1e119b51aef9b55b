"""Microseconds a request: the gateway's counters and rate limits, beside those of libraries.

`limits` is no dependency, so this runs in an environment of its own:

    uv run --no-project --with limits --with msgspec --with prometheus-client \
        python -m tests.bench.libraries
"""

import asyncio
import timeit
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter
from prometheus_client import CollectorRegistry, Counter, Histogram

from pokewatch.gateway.auth.limits import MemoryLimiter, Rate
from pokewatch.gateway.metrics import RequestMetrics

REQUESTS = 20_000
ROUNDS = 5
RATE = "100000/minute"
LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)


def library_metrics() -> Callable[[], None]:
    """Return one request's counting with prometheus_client: a counter and a histogram."""
    registry = CollectorRegistry()
    count = Counter("requests", "Requests.", ("route", "method", "status"), registry=registry)
    seconds = Histogram("seconds", "Time.", ("route",), buckets=LATENCY, registry=registry)

    def add() -> None:
        count.labels("/fair_price", "POST", "200").inc()
        seconds.labels("/fair_price").observe(0.004)

    return add


def microseconds(call: Callable[[], object]) -> float:
    """Return the best of several rounds, which other processes disturb least."""
    return min(timeit.repeat(call, number=REQUESTS, repeat=ROUNDS)) / REQUESTS * 1e6


def awaited(hit: Callable[[], Awaitable[object]]) -> float:
    async def round_of_hits() -> None:
        for _ in range(REQUESTS):
            await hit()

    times = timeit.repeat(lambda: asyncio.run(round_of_hits()), number=1, repeat=ROUNDS)
    return min(times) / REQUESTS * 1e6


def library_limits(strategy: Callable[[MemoryStorage], Any]) -> float:
    limiter, item = strategy(MemoryStorage()), parse(RATE)

    async def hit() -> None:
        await limiter.hit(item, "key")
        await limiter.get_window_stats(item, "key")

    return awaited(hit)


def main() -> None:
    ours = MemoryLimiter()
    rate = Rate.parse(RATE)
    requests = RequestMetrics()
    counted = partial(requests.add, "/fair_price", "POST", 200, 0.004)
    print(f"metrics, ours               {microseconds(counted):6.2f} us")
    print(f"metrics, prometheus_client  {microseconds(library_metrics()):6.2f} us")
    print(f"limits, ours                {awaited(lambda: ours.hit('key', rate)):6.2f} us")
    for strategy in (SlidingWindowCounterRateLimiter, MovingWindowRateLimiter):
        print(f"limits, {strategy.__name__:<31} {library_limits(strategy):6.2f} us")


if __name__ == "__main__":
    main()
