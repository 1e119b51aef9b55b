import asyncio

import pytest

from pokewatch.gateway.http.deadlines import Deadlines


def test_only_late_tasks_are_cancelled() -> None:
    async def bounded(deadlines: Deadlines, event: asyncio.Event) -> str:
        with deadlines:
            await event.wait()
        return "in time"

    async def scenario() -> None:
        deadlines = Deadlines(0.05)
        now, never = asyncio.Event(), asyncio.Event()
        now.set()
        found = await asyncio.gather(
            *(bounded(deadlines, event) for event in (now, never, never, now)),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in found] == [str, TimeoutError, TimeoutError, str]

    asyncio.run(scenario())


def test_a_task_continues_after_its_timeout() -> None:
    async def scenario() -> None:
        deadlines = Deadlines(0.02)
        for _ in range(3):
            with pytest.raises(TimeoutError), deadlines:
                await asyncio.Event().wait()
        await asyncio.sleep(0)

    asyncio.run(scenario())


def test_cancellation_from_outside_is_passed_on() -> None:
    async def scenario() -> None:
        async def bounded() -> None:
            with Deadlines(60):
                await asyncio.Event().wait()

        task = asyncio.create_task(bounded())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_results_and_errors_in_time_are_passed_on() -> None:
    async def scenario() -> None:
        deadlines = Deadlines(0.02, error=lambda: ConnectionError("late"))

        async def bounded(future: "asyncio.Future[int]") -> int:
            with deadlines:
                return await future

        loop = asyncio.get_running_loop()
        good, bad, never = (loop.create_future() for _ in range(3))
        loop.call_soon(good.set_result, 2)
        loop.call_soon(bad.set_exception, KeyError("bad"))
        assert await bounded(good) == 2
        with pytest.raises(KeyError, match="bad"):
            await bounded(bad)
        with pytest.raises(ConnectionError, match="late"):
            await bounded(never)
        assert never.cancelled()

    asyncio.run(scenario())
