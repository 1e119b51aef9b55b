"""Time in tests: a clock that is set by the test, and waiting for a condition."""

import asyncio
from collections.abc import Awaitable, Callable


class Clock:
    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    """Wait until `check` returns True."""
    async with asyncio.timeout(20):
        while not await check():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
