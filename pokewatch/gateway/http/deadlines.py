"""One deadline for many tasks, by one timer: a timer a request costs more than the rest of reading its body."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from types import TracebackType, coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Deadlines:
    """`with deadlines:` bounds what the task does inside: it gets the error `late` after `seconds`, or up to a quarter later."""

    def __init__(self, seconds: float, late: Callable[[], Exception] = TimeoutError) -> None:
        self._seconds = seconds
        self._error = late
        self._ends: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        self._ends[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds / 4, self._sweep, loop)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._ends.pop(task, None)
        if task in self._late:
            self._late.discard(task)
            if task.uncancel() == 0 and kind is asyncio.CancelledError:
                raise self._error() from error

    @coroutine
    def bounded(self, work: Coroutine[Any, Any, Result]) -> Generator[Any, None, Result]:
        """What `work` returns. Only work that has to wait for something is given a deadline: the rest is over by then."""
        step: Callable[[], Any] = partial(work.send, None)
        try:
            waited_for = step()
            with self:
                while True:
                    try:
                        yield waited_for
                    except BaseException as error:
                        step = partial(work.throw, error)
                    else:
                        step = partial(work.send, None)
                    waited_for = step()
        except StopIteration as done:
            result: Result = done.value
            return result

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """The oldest come first, for all have as long."""
        now = loop.time()
        while self._ends:
            task, end = next(iter(self._ends.items()))
            if now < end:
                break
            del self._ends[task]
            self._late.add(task)
            task.cancel()
        self._timer = loop.call_later(self._seconds / 4, self._sweep, loop) if self._ends else None
