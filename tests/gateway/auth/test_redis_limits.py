import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from tenacity import retry, stop_after_delay, wait_fixed

from pokewatch.gateway.auth.limits import MemoryLimiter, Rate
from pokewatch.gateway.auth.redis_limits import RedisLimiter
from pokewatch.gateway.metrics import Metrics
from tests.gateway.clock import until
from tests.serving.server import free_ports
from tests.tools import require_tool

RATE = Rate(3, 3_600)


@contextmanager
def redis_server(port: int, folder: Path) -> Iterator[None]:
    command = [
        require_tool("redis-server"),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(folder),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_for_redis(port)
        yield
    finally:
        process.terminate()
        process.wait(10)


@retry(stop=stop_after_delay(20), wait=wait_fixed(0.05), reraise=True)
def _wait_for_redis(port: int) -> None:
    with Redis(port=port) as client:
        client.ping()


def limiter(port: int, metrics: Metrics) -> RedisLimiter:
    return RedisLimiter(f"redis://127.0.0.1:{port}/0", MemoryLimiter(), metrics, seconds=5)


def test_gateways_share_one_limit(tmp_path: Path) -> None:
    [port] = free_ports(1)

    async def scenario() -> None:
        gateways = [limiter(port, Metrics()) for _ in range(2)]
        decisions = [await gateways[turn % 2].hit("key:a", RATE) for turn in range(5)]
        assert [decision.allowed for decision in decisions] == [True, True, True, False, False]
        assert [decision.remaining for decision in decisions] == [2, 1, 0, 0, 0]
        assert 3_500 < decisions[-1].reset <= 3_600
        assert (await gateways[0].hit("key:b", RATE)).allowed
        for gateway in gateways:
            await gateway.close()

    with redis_server(port, tmp_path):
        asyncio.run(scenario())
        with Redis(port=port) as client:
            assert 0 < client.ttl("pokewatch:window:key:a") <= 3_661


def test_the_window_slides(tmp_path: Path) -> None:
    [port] = free_ports(1)

    async def scenario() -> None:
        shared = limiter(port, Metrics())
        rate = Rate(2, 1)
        assert [(await shared.hit("a", rate)).allowed for _ in range(2)] == [True, True]

        async def allowed() -> bool:
            return (await shared.hit("a", rate)).allowed

        await until(allowed)
        await shared.close()

    with redis_server(port, tmp_path):
        asyncio.run(scenario())


def test_limits_are_applied_in_memory_while_redis_is_down(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    [port] = free_ports(1)
    metrics = Metrics()
    caplog.set_level("INFO")

    async def scenario() -> None:
        gateway = limiter(port, metrics)
        in_memory = [(await gateway.hit("key:a", RATE)).allowed for _ in range(4)]
        assert in_memory == [True, True, True, False]
        assert metrics.registry.get_sample_value("pokewatch_gateway_limiter_fallbacks_total") == 4

        async def allowed() -> bool:
            return (await gateway.hit("key:a", RATE)).allowed

        with redis_server(port, tmp_path):
            await until(allowed)
            with Redis(port=port) as client:
                assert client.exists("pokewatch:window:key:a")
        assert not (await gateway.hit("key:a", RATE)).allowed, (
            "Redis is down again: the requests counted in memory still count"
        )
        await gateway.close()

    asyncio.run(scenario())
    assert [record.message for record in caplog.records][:2] == [
        "Redis does not respond: rate limits are applied in memory",
        "Redis responds again: rate limits are shared",
    ]
