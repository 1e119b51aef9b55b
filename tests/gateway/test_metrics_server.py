"""The metrics port, by itself and of a running gateway."""

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
    MOST_AT_ONCE,
    SAMPLES_A_PIECE,
    Exposition,
    MetricsPort,
    pieces,
)
from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem


@pytest.fixture
def busy() -> Metrics:
    """The metrics of a gateway whose every route was asked."""
    metrics = Metrics()
    for operation in OPERATIONS:
        metrics.requests.add(operation.path, operation.method, 200, 0.01)
    for upstream in ("fair-price", "decision", "catalog"):
        metrics.upstream_seconds.of(upstream).observe(0.01)
    return metrics


def samples(text: bytes) -> list[str]:
    changing = ("process_cpu", "process_resident", "process_virtual", "process_open")
    return [line for line in text.decode().splitlines() if not line.startswith(changing)]


def test_the_pieces_are_small_and_make_the_whole(busy: Metrics) -> None:
    found = list(pieces(busy.registry.collect()))
    assert samples(b"".join(found)) == samples(generate_latest(busy.registry))
    assert len(found) > len(OPERATIONS)
    assert all(
        sum(not line.startswith(b"#") for line in piece.splitlines()) <= SAMPLES_A_PIECE
        for piece in found
    )


def test_requests_are_answered_between_the_pieces(busy: Metrics) -> None:
    async def scenario() -> int:
        text = asyncio.create_task(Exposition(busy.registry).text())
        turns = 0
        while not text.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert asyncio.run(scenario()) >= len(list(pieces(busy.registry.collect())))


def test_it_is_made_once_a_second_however_many_ask(busy: Metrics) -> None:
    async def scenario() -> set[bytes]:
        exposition = Exposition(busy.registry)
        first = await exposition.text()
        busy.requests.add("/cards", "GET", 200, 0.01)
        return {first, *await asyncio.gather(*(exposition.text() for _ in range(20)))}

    assert len(asyncio.run(scenario())) == 1


def run(scenario: Callable[[MetricsPort], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        port = MetricsPort(Metrics().registry, "127.0.0.1", 0)
        await port.start()
        try:
            await scenario(port)
        finally:
            await port.stop()

    asyncio.run(all_of_it())


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
def test_its_one_route(request_line: str, status: int) -> None:
    async def scenario(port: MetricsPort) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
        writer.write(f"{request_line}\r\nHost: x\r\n\r\n".encode())
        answer = await reader.read()
        assert int(answer.split()[1]) == status
        assert (b"pokewatch_gateway_keyless_total 0.0" in answer) is (status == 200)
        writer.close()

    run(scenario)


def test_scrapers_that_say_nothing_or_leave_are_no_trouble() -> None:
    async def scenario(port: MetricsPort) -> None:
        address = ("127.0.0.1", port.port)
        silent = [await asyncio.open_connection(*address) for _ in range(MOST_AT_ONCE - 1)]
        for _ in range(5):
            _, gone = await asyncio.open_connection(*address)
            gone.write(b"GET /metrics HTTP/1.1\r\n\r\n")
            gone.transport.abort()
        _, endless = await asyncio.open_connection(*address)
        endless.write(b"x" * 20_000)
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        for _, each in (*silent, (None, endless), (None, writer)):
            each.close()

    run(scenario)


def test_a_port_that_is_taken_is_named() -> None:
    async def scenario(taken: int) -> None:
        await MetricsPort(Metrics().registry, "127.0.0.1", taken).start()

    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(SettingsError, match="POKEWATCH_GATEWAY_METRICS_PORT"),
    ):
        asyncio.run(scenario(other.getsockname()[1]))


def test_the_apis_port_has_no_metrics(gateway: Gateway) -> None:
    assert_problem(gateway.get("/metrics"), 404, "not-found")
    assert "/metrics" not in gateway.get("/openapi.json").json()["paths"]


def test_only_this_machine_reads_them(gateway: Gateway) -> None:
    assert "pokewatch_gateway_requests_total" in gateway.metrics()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.2:{gateway.app.assembly.metrics_port.port}/metrics")
