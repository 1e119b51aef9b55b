"""A time limit shared by many tasks.

`asyncio.timeout` makes and cancels a timer for every use: 12 us on uvloop, more than all the rest
of reading a request's body. Here one timer serves all tasks, which costs 2 us.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType


class Deadlines:
    """Context manager that bounds what a task does inside to `seconds`, or up to a quarter more.

    A task that exceeds the limit is cancelled and gets `error` raised instead. May be entered by
    many tasks at once, but not twice by the same one.
    """

    def __init__(self, seconds: float, error: Callable[[], Exception] = TimeoutError) -> None:
        self._seconds = seconds
        self._error = error
        self._deadlines: dict[asyncio.Task[object], float] = {}
        self._expired: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        self._deadlines[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds / 4, self._expire, loop)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._deadlines.pop(task, None)
        if task in self._expired:
            self._expired.discard(task)
            if task.uncancel() == 0 and kind is asyncio.CancelledError:
                raise self._error() from error

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel the tasks whose time is up. They are in order: all have the same limit."""
        now = loop.time()
        while self._deadlines:
            task, deadline = next(iter(self._deadlines.items()))
            if now < deadline:
                break
            del self._deadlines[task]
            self._expired.add(task)
            task.cancel()
        again = loop.call_later(self._seconds / 4, self._expire, loop) if self._deadlines else None
        self._timer = again
