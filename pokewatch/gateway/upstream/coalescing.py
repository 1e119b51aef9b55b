"""Coalescing: concurrent requests share one call to the model server.

When no call is in flight, a request is sent at once. While calls are in flight, requests queue up
for the next one.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from pokewatch.gateway.http.problems import OVERLOADED, UPSTREAM_TIMEOUT, ProblemError, invalid
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.v2_client import RefusedError

Row = TypeVar("Row")
Result = TypeVar("Result")
Call = Callable[[Sequence[Row], float], Awaitable[Sequence[Result | ProblemError]]]
_Entry = tuple[Row, asyncio.Future[Result | ProblemError], float]  # the last is its deadline


class QueueLimit:
    """Limit on the rows that the whole gateway has queued or in flight."""

    def __init__(self, max_rows: int, metrics: Metrics) -> None:
        self.max_rows = max_rows
        self.rows = 0
        self._shed = metrics.limited.labels("load")
        metrics.waiting.set_function(lambda: self.rows)

    def enter(self, rows: int) -> None:
        """Add `rows`, or raise ProblemError (503). An empty queue accepts any number."""
        if self.rows and self.rows + rows > self.max_rows:
            self._shed.inc()
            raise ProblemError(OVERLOADED, "too many requests are queued", retry_after=1)
        self.rows += rows

    def leave(self, rows: int) -> None:
        self.rows -= rows


class Coalescer(Generic[Row, Result]):
    """Queue in front of `call(rows, deadline)`, which returns a result or a problem for each row.

    At most `in_flight` calls run at once. A row may wait `seconds` for its call, and a call may
    take `seconds`, so a row is answered within twice that. A row whose caller has disconnected is
    dropped. When a call is refused as a whole, `isolate_refusals` finds the rows at fault. A call
    waits for the seconds that `pause` returns, so that more rows join it.
    """

    def __init__(
        self,
        call: Call[Row, Result],
        load: QueueLimit,
        metrics: Metrics,
        *,
        seconds: float,
        market: str = "",
        max_rows: int = 1_000,
        in_flight: int = 2,
        pause: Callable[[], float] = float,
    ) -> None:
        self._call = call
        self._load = load
        self._sizes = metrics.coalesced.of(market)
        self._seconds = seconds
        self._max_rows = max_rows
        self._in_flight = in_flight
        self._pause = pause
        self._queue: deque[_Entry[Row, Result]] = deque()
        self._running: set[asyncio.Task[Any]] = set()
        self._scheduled = False
        self._full_at = 0.0  # when as many calls ran as may
        self.last_seconds = 0.0  # that the last call took

    async def submit(self, row: Row) -> Result | ProblemError:
        """Return the result or problem of a row. Raise ProblemError if the queue is full."""
        self._load.enter(1)
        try:
            if not self._running and not self._scheduled and not self._pause():
                # In the caller's own task: saves a task and one iteration of the event loop.
                self._running.add(_this_task())
                return (await self._outcomes([row]))[0]
            loop = asyncio.get_running_loop()
            future: asyncio.Future[Result | ProblemError] = loop.create_future()
            self._queue.append((row, future, loop.time() + self._seconds))
            if not self._scheduled and len(self._running) < self._in_flight:
                self._schedule()
            return await future
        finally:
            self._load.leave(1)

    def is_busy(self) -> bool:
        """Return whether as many calls run as may, or did within the time of two calls."""
        if len(self._running) >= self._in_flight:
            return True
        return asyncio.get_running_loop().time() - self._full_at < 2 * self.last_seconds

    async def close(self) -> None:
        """Wait for the running calls."""
        await asyncio.gather(*self._running, return_exceptions=True)

    def _schedule(self) -> None:
        """Start a call that also takes the rows arriving in this iteration of the event loop."""
        self._scheduled = True
        if pause := self._pause():
            asyncio.get_running_loop().call_later(pause, self._start)
        else:
            self._start()

    def _start(self) -> None:
        self._running.add(asyncio.get_running_loop().create_task(self._run()))

    def _next_batch(self) -> list[_Entry[Row, Result]]:
        self._scheduled = False
        queue = self._queue
        batch = [queue.popleft() for _ in range(min(len(queue), self._max_rows))]
        if queue and len(self._running) < self._in_flight:
            self._schedule()
        return batch

    async def _run(self) -> None:
        batch = self._next_batch()
        try:
            pending = self._pending(batch)
            outcomes = await self._outcomes([row for row, _, _ in pending])
            for entry, outcome in zip(pending, outcomes, strict=True):
                if not entry[1].done():
                    entry[1].set_result(outcome)
        except Exception as error:
            for _, future, _ in batch:
                if not future.done():
                    future.set_exception(error)
        except asyncio.CancelledError:
            for _, future, _ in batch:
                future.cancel()
            raise

    def _pending(self, batch: list[_Entry[Row, Result]]) -> list[_Entry[Row, Result]]:
        """Return the rows that are still waited for and within their deadline."""
        now = asyncio.get_running_loop().time()
        pending = [entry for entry in batch if entry[2] > now and not entry[1].done()]
        if len(pending) < len(batch):
            for _, future, deadline in batch:
                if deadline <= now and not future.done():
                    detail = "the request waited too long in the queue"
                    future.set_result(ProblemError(UPSTREAM_TIMEOUT, detail, retry_after=1))
        return pending

    async def _outcomes(self, rows: list[Row]) -> Sequence[Result | ProblemError]:
        """Call, then start the next call before any answer is written, to keep the server busy."""
        try:
            if not rows:
                return []
            self._sizes.observe(len(rows))
            started = asyncio.get_running_loop().time()
            if len(self._running) >= self._in_flight:
                self._full_at = started
            found = await _outcomes(self._call, rows, started + self._seconds)
            self.last_seconds = asyncio.get_running_loop().time() - started
            return found
        finally:
            self._running.discard(_this_task())
            if self._queue and not self._scheduled:
                self._schedule()


async def isolate_refusals(
    call: Call[Row, Result], rows: Sequence[Row], deadline: float
) -> Sequence[Result | ProblemError]:
    """Return each row's outcome; halve a refused call until only the rows at fault have a problem.

    Raise ProblemError where the call of all rows does.
    """
    try:
        return await call(rows, deadline)
    except RefusedError as refused:
        if len(rows) == 1:
            return [invalid("", str(refused))]
    half = len(rows) // 2
    return [
        *await _outcomes(call, rows[:half], deadline),
        *await _outcomes(call, rows[half:], deadline),
    ]


async def _outcomes(
    call: Call[Row, Result], rows: Sequence[Row], deadline: float
) -> Sequence[Result | ProblemError]:
    """Like `isolate_refusals`, but a problem of the whole call becomes the problem of each row."""
    try:
        return await isolate_refusals(call, rows, deadline)
    except ProblemError as problem:
        return [problem] * len(rows)


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task
