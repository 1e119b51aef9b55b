import asyncio

import pytest

from pokewatch.gateway.deadlines import Deadlines


def test_what_is_late_is_ended_and_what_is_not_is_left() -> None:
    async def bounded(deadlines: Deadlines, event: asyncio.Event) -> str:
        with deadlines:
            await event.wait()
        return "in time"

    async def scenario() -> None:
        deadlines = Deadlines(0.05)
        now, never = asyncio.Event(), asyncio.Event()
        now.set()
        found = await asyncio.gather(*(bounded(deadlines, event) for event in (now, never, never, now)), return_exceptions=True)
        assert [type(outcome) for outcome in found] == [str, TimeoutError, TimeoutError, str]

    asyncio.run(scenario())


def test_a_task_goes_on_after_its_timeout() -> None:
    async def scenario() -> None:
        deadlines = Deadlines(0.02)
        for _ in range(3):
            with pytest.raises(TimeoutError), deadlines:
                await asyncio.Event().wait()
        await asyncio.sleep(0)

    asyncio.run(scenario())


def test_a_cancelled_task_is_cancelled() -> None:
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
