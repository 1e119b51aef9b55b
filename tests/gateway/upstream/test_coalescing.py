import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from pokewatch.gateway.http.problems import ProblemError, unavailable
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.coalescing import Coalescer, QueueLimit
from pokewatch.gateway.upstream.v2_client import RefusedError
from pokewatch.gateway.upstream.v2_messages import Refusal

Call = Callable[[Sequence[int], float], Awaitable[list[int | ProblemError]]]


class Upstream:
    """Returns n + 100 for n. Calls wait for `open` and are refused if they have a `poison` row."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.remaining: list[float] = []
        self.open = asyncio.Event()
        self.open.set()
        self.poison: set[int] = set()
        self.error: Exception | None = None

    async def __call__(self, rows: Sequence[int], deadline: float) -> list[int | ProblemError]:
        self.calls.append(list(rows))
        self.remaining.append(deadline - asyncio.get_running_loop().time())
        await self.open.wait()
        if self.error:
            raise self.error
        if self.poison & set(rows):
            raise RefusedError(400, Refusal("bad row"))
        return [row + 100 for row in rows]


def coalescer(
    call: Call, max_queued: int = 1_000, seconds: float = 60.0, **more: Any
) -> Coalescer[int, int]:
    metrics = Metrics()
    return Coalescer(call, QueueLimit(max_queued, metrics), metrics, seconds=seconds, **more)


def submitted(shared: Coalescer[int, int], *rows: int) -> list[asyncio.Task[int | ProblemError]]:
    return [asyncio.ensure_future(shared.submit(row)) for row in rows]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]


def test_a_single_request_is_sent_at_once() -> None:
    async def scenario() -> None:
        upstream = Upstream()
        assert await coalescer(upstream).submit(1) == 101
        assert upstream.calls == [[1]]

    run(scenario)


def test_concurrent_requests_share_a_call() -> None:
    """All but the first, which is sent at once."""

    async def scenario() -> None:
        upstream = Upstream()
        shared = coalescer(upstream)
        upstream.open.clear()
        futures = submitted(shared, *range(50))
        await turns()
        upstream.open.set()
        assert await asyncio.gather(*futures) == list(range(100, 150))
        assert upstream.calls == [[0], list(range(1, 50))]

    run(scenario)


def test_requests_queue_while_calls_are_in_flight() -> None:
    async def scenario() -> None:
        upstream = Upstream()
        upstream.open.clear()
        shared = coalescer(upstream, in_flight=2, max_rows=4)
        futures = []
        for n in range(8):
            futures += submitted(shared, n)
            await turns()
        assert upstream.calls == [[0], [1]]
        upstream.open.set()
        assert await asyncio.gather(*futures) == [n + 100 for n in range(8)]
        assert upstream.calls[2:] == [[2, 3, 4, 5], [6, 7]]

    run(scenario)


def test_a_paused_call_is_joined_by_what_arrives_meanwhile() -> None:
    async def scenario() -> None:
        upstream, pauses = Upstream(), [0.01]
        shared = coalescer(upstream, in_flight=1, pause=lambda: pauses[0])
        first = submitted(shared, 1)
        await turns()
        assert upstream.calls == []
        assert not shared.is_busy()
        assert await asyncio.gather(*first, *submitted(shared, 2, 3)) == [101, 102, 103]
        assert upstream.calls == [[1, 2, 3]]
        pauses[0] = 0.0
        upstream.open.clear()
        last = submitted(shared, 4)
        await turns()
        assert upstream.calls[1:] == [[4]]
        assert shared.is_busy()
        upstream.open.set()
        await asyncio.gather(*last)
        await asyncio.sleep(3 * shared.last_seconds)
        assert not shared.is_busy()

    run(scenario)


@pytest.mark.parametrize("poison", [{0}, {7}, {3, 4}, set(range(8))], ids=str)
def test_a_refused_row_does_not_affect_others(poison: set[int]) -> None:
    async def scenario() -> None:
        upstream = Upstream()
        upstream.poison = poison
        shared = coalescer(upstream)
        found = await asyncio.gather(*(shared.submit(n) for n in range(8)))
        assert {n for n, outcome in enumerate(found) if isinstance(outcome, ProblemError)} == poison

    run(scenario)


def test_a_disconnected_caller_does_not_affect_others() -> None:
    async def scenario() -> None:
        upstream = Upstream()
        upstream.open.clear()
        shared = coalescer(upstream, in_flight=1)
        [alone] = submitted(shared, 0)
        await turns()
        first, second = submitted(shared, 1, 2)
        await turns()
        alone.cancel()
        await turns()
        third, fourth = submitted(shared, 3, 4)
        await turns()
        first.cancel()
        third.cancel()
        upstream.open.set()
        assert (await second, await fourth) == (102, 104)
        assert upstream.calls == [[0], [1, 2], [4]]

    run(scenario)


def test_a_failed_call_is_the_problem_of_each_row() -> None:
    async def scenario() -> None:
        upstream = Upstream()
        upstream.error = unavailable("down")
        shared = coalescer(upstream)
        found = await asyncio.gather(*(shared.submit(n) for n in range(3)))
        assert [outcome.kind.status for outcome in found if isinstance(outcome, ProblemError)] == [
            503
        ] * 3
        upstream.error = RuntimeError("a bug")
        raised = await asyncio.gather(*(shared.submit(n) for n in range(3)), return_exceptions=True)
        assert [str(error) for error in raised] == ["a bug"] * 3
        upstream.error = None
        assert await shared.submit(1) == 101

    run(scenario)


def test_the_queue_is_bounded_and_released() -> None:
    async def scenario() -> None:
        upstream = Upstream()
        upstream.open.clear()
        shared = coalescer(upstream, max_queued=3)
        futures = submitted(shared, *range(3))
        await turns()
        with pytest.raises(ProblemError) as caught:
            await shared.submit(4)
        assert (caught.value.kind.name, caught.value.retry_after) == ("overloaded", 1)
        upstream.open.set()
        await asyncio.gather(*futures)
        assert await shared.submit(4) == 104

    run(scenario)


def test_a_call_has_its_full_time_after_any_wait() -> None:
    async def scenario() -> None:
        upstream = Upstream()
        upstream.open.clear()
        shared = coalescer(upstream, in_flight=1, max_rows=2)
        futures = submitted(shared, *range(4))
        await asyncio.sleep(0.1)
        upstream.open.set()
        await asyncio.gather(*futures)
        assert upstream.calls == [[0], [1, 2], [3]]
        assert min(upstream.remaining) > 59.95

    run(scenario)


def test_a_row_that_waited_too_long_times_out() -> None:
    async def scenario() -> None:
        upstream = Upstream()
        shared = coalescer(upstream, in_flight=1, seconds=0.0)
        upstream.open.clear()
        first, second = submitted(shared, 1, 2)
        await turns()
        upstream.open.set()
        await first
        late = await second
        assert isinstance(late, ProblemError)
        assert late.kind.status == 504
        assert upstream.calls == [[1]]

    run(scenario)
