import asyncio

import pytest

from pokewatch.gateway.http.deadlines import Deadlines


def test_what_is_late_is_ended_and_what_is_not_is_left() -> None:
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


def test_only_work_that_waits_is_bounded() -> None:
    async def scenario() -> None:
        deadlines = Deadlines(0.02, late=lambda: ConnectionError("late"))
        event = asyncio.Event()
        event.set()

        async def work(reply: "asyncio.Future[int] | None" = None) -> int:
            await event.wait()
            return 1 if reply is None else await reply

        assert await deadlines.bounded(work()) == 1
        loop = asyncio.get_running_loop()
        good, bad, never = (loop.create_future() for _ in range(3))
        loop.call_soon(good.set_result, 2)
        loop.call_soon(bad.set_exception, KeyError("bad"))
        assert await deadlines.bounded(work(good)) == 2
        with pytest.raises(KeyError, match="bad"):
            await deadlines.bounded(work(bad))
        with pytest.raises(ConnectionError, match="late"):
            await deadlines.bounded(work(never))
        assert never.cancelled()

    asyncio.run(scenario())


def test_work_may_wait_more_than_once_and_catch_what_it_waits_for() -> None:
    async def work() -> list[str]:
        seen = []
        for number in range(3):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.set_exception, ValueError(str(number)))
            try:
                await future
            except ValueError as error:
                seen.append(str(error))
        return seen

    async def scenario() -> None:
        assert await Deadlines(60).bounded(work()) == ["0", "1", "2"]

    asyncio.run(scenario())
