"""Calls of `decision` that two variants share, to a real MLServer."""

import asyncio
import math
from collections.abc import Awaitable, Callable

import pytest

from pokewatch.gateway.api import decisions as module
from pokewatch.gateway.api.decisions import DecisionCalls
from pokewatch.gateway.http.problems import ProblemError, unavailable
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.breaker import Breaker
from pokewatch.gateway.upstream.http_stream import StreamingHttpClient
from pokewatch.gateway.upstream.v2_client import V2Client
from pokewatch.gateway.upstream.v2_messages import V2Tensor, float_tensor, string_tensor
from tests.serving.server import Server


class CountingClient(V2Client):
    """Counts its calls, and fails the first `failures` of them."""

    calls = failures = 0

    async def send(
        self, path: str, body: bytes | None, headers: bytes = b"", deadline: float = math.inf
    ) -> bytes:
        self.calls += 1
        if self.calls <= self.failures:
            raise unavailable("away")
        return await super().send(path, body, headers, deadline)


def rows(*prices: float, currency: str = "USD") -> list[V2Tensor]:
    """Return prices to judge against a fair price of 100."""
    return [
        float_tensor("market_price", prices),
        float_tensor("fair_price", [100.0] * len(prices)),
        string_tensor("currency", [currency]),
        string_tensor("status", ["ok"] * len(prices)),
    ]


def run(
    server: Server, scenario: Callable[[DecisionCalls], Awaitable[None]], failures: int = 0
) -> int:
    """Run a scenario. Return the number of calls."""

    async def connected() -> int:
        http = StreamingHttpClient(server.url, 5)
        client = CountingClient("decision", http, Breaker(), Metrics(), 30)
        client.failures = failures
        try:
            await scenario(DecisionCalls(client))
        finally:
            http.close()
        return client.calls

    return asyncio.run(connected())


async def joined(decisions: DecisionCalls, inputs: list[V2Tensor]) -> "asyncio.Task[list[str]]":
    """Return rows that wait for another call."""

    async def signals() -> list[str]:
        return (await decisions.join(inputs, b"", math.inf))["signal"]

    task = asyncio.create_task(signals())
    await asyncio.sleep(0)
    return task


def test_rows_join_a_call_that_is_expected(mlserver: Server) -> None:
    async def scenario(decisions: DecisionCalls) -> None:
        decisions.expected = 1
        one, two = await joined(decisions, rows(80)), await joined(decisions, rows(130, 100))
        own = await decisions.decide(rows(100, 80, 130), b"", math.inf)
        assert own["signal"] == ["HOLD", "BUY", "SELL"]
        assert (await one, await two) == (["BUY"], ["SELL", "HOLD"])

    assert run(mlserver, scenario) == 1


def test_without_one_they_are_sent_at_once(mlserver: Server) -> None:
    async def scenario(decisions: DecisionCalls) -> None:
        assert await (await joined(decisions, rows(80))) == ["BUY"]

    assert run(mlserver, scenario) == 1


@pytest.mark.parametrize("other", [rows(80, currency="EUR"), rows(80)[:2]], ids=["EUR", "fewer"])
def test_rows_of_another_kind_do_not_join(mlserver: Server, other: list[V2Tensor]) -> None:
    async def scenario(decisions: DecisionCalls) -> None:
        decisions.expected = 1
        waiting = await joined(decisions, other)
        assert (await decisions.decide(rows(130), b"", math.inf))["signal"] == ["SELL"]
        assert await waiting == ["BUY"]

    assert run(mlserver, scenario) == 2


def test_a_call_that_does_not_come_is_not_waited_for(
    mlserver: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(decisions: DecisionCalls) -> None:
        decisions.expected = 1
        assert await (await joined(decisions, rows(80))) == ["BUY"]
        assert (await decisions.decide(rows(130), b"", math.inf))["signal"] == ["SELL"]

    monkeypatch.setattr(module, "_WAIT", 0.001)
    assert run(mlserver, scenario) == 2


def test_a_failure_of_the_shared_call_is_not_that_of_the_rows(mlserver: Server) -> None:
    async def scenario(decisions: DecisionCalls) -> None:
        decisions.expected = 1
        waiting = await joined(decisions, rows(80))
        with pytest.raises(ProblemError, match="away"):
            await decisions.decide(rows(130), b"", math.inf)
        assert await waiting == ["BUY"]

    assert run(mlserver, scenario, failures=1) == 2
