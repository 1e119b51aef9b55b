"""The metrics server, alone and as part of a running gateway."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import httpx
import pytest
from prometheus_client import generate_latest

from pokewatch.errors import SettingsError
from pokewatch.gateway.api.routes import OPERATIONS
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.metrics_server import (
    CHUNK_SAMPLES,
    MAX_CONNECTIONS,
    Exposition,
    MetricsServer,
    chunks,
)
from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem


@pytest.fixture
def busy() -> Metrics:
    """Metrics of a gateway that has served a request on every route."""
    metrics = Metrics()
    for operation in OPERATIONS:
        metrics.requests.add(operation.path, operation.method, 200, 0.01)
    for upstream in ("fair-price", "decision", "catalog"):
        metrics.upstream_seconds.of(upstream).observe(0.01)
    return metrics


def samples(text: bytes) -> list[str]:
    changing = ("process_cpu", "process_resident", "process_virtual", "process_open")
    return [line for line in text.decode().splitlines() if not line.startswith(changing)]


def test_chunks_are_small_and_complete(busy: Metrics) -> None:
    found = list(chunks(busy.registry.collect()))
    assert samples(b"".join(found)) == samples(generate_latest(busy.registry))
    assert len(found) > len(OPERATIONS)
    assert all(
        sum(not line.startswith(b"#") for line in chunk.splitlines()) <= CHUNK_SAMPLES
        for chunk in found
    )


def test_other_tasks_run_between_chunks(busy: Metrics) -> None:
    async def scenario() -> int:
        text = asyncio.create_task(Exposition(busy.registry).text())
        turns = 0
        while not text.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert asyncio.run(scenario()) >= len(list(chunks(busy.registry.collect())))


def test_the_text_is_generated_once_a_second(busy: Metrics) -> None:
    async def scenario() -> set[bytes]:
        exposition = Exposition(busy.registry)
        first = await exposition.text()
        busy.requests.add("/cards", "GET", 200, 0.01)
        return {first, *await asyncio.gather(*(exposition.text() for _ in range(20)))}

    assert len(asyncio.run(scenario())) == 1


def run(scenario: Callable[[MetricsServer], Awaitable[None]]) -> None:
    async def serve() -> None:
        server = MetricsServer(Metrics().registry, "127.0.0.1", 0)
        await server.start()
        try:
            await scenario(server)
        finally:
            await server.stop()

    asyncio.run(serve())


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /metrics HTTP/1.1", 200),
        ("GET /metrics HTTP/1.0", 200),
        ("GET / HTTP/1.1", 404),
        ("POST /metrics HTTP/1.1", 404),
        ("GET /fair_price HTTP/1.1", 404),
        ("", 404),
    ],
)
def test_routes(request_line: str, status: int) -> None:
    async def scenario(server: MetricsServer) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"{request_line}\r\nHost: x\r\n\r\n".encode())
        answer = await reader.read()
        assert int(answer.split()[1]) == status
        assert (b"pokewatch_gateway_keyless_total 0.0" in answer) is (status == 200)
        writer.close()

    run(scenario)


def test_silent_and_disconnected_clients_do_not_block_others() -> None:
    async def scenario(server: MetricsServer) -> None:
        address = ("127.0.0.1", server.port)
        idle = [await asyncio.open_connection(*address) for _ in range(MAX_CONNECTIONS - 1)]
        for _ in range(5):
            _, closed = await asyncio.open_connection(*address)
            closed.write(b"GET /metrics HTTP/1.1\r\n\r\n")
            closed.transport.abort()
        _, endless = await asyncio.open_connection(*address)
        endless.write(b"x" * 20_000)
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        for _, each in (*idle, (None, endless), (None, writer)):
            each.close()

    run(scenario)


def test_a_port_in_use_is_an_error_that_names_the_setting() -> None:
    async def scenario(taken: int) -> None:
        await MetricsServer(Metrics().registry, "127.0.0.1", taken).start()

    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(SettingsError, match="POKEWATCH_GATEWAY_METRICS_PORT"),
    ):
        asyncio.run(scenario(other.getsockname()[1]))


def test_the_api_has_no_metrics(gateway: Gateway) -> None:
    assert_problem(gateway.get("/metrics"), 404, "not-found")
    assert "/metrics" not in gateway.get("/openapi.json").json()["paths"]


def test_metrics_are_served_on_loopback_only(gateway: Gateway) -> None:
    assert "pokewatch_gateway_requests_total" in gateway.metrics()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.2:{gateway.app.assembly.metrics_server.port}/metrics")
