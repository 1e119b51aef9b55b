"""Concurrent requests share one call. An idle gateway sends at once; while calls are in flight, arrivals gather for the next."""

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
    """How many rows the whole gateway has queued or in calls; beyond `most` it takes no more."""

    def __init__(self, most: int, metrics: Metrics) -> None:
        self.most = most
        self.rows = 0
        self._shed = metrics.limited.labels("load")
        metrics.waiting.set_function(lambda: self.rows)

    def enter(self, rows: int) -> None:
        """Raises ProblemError (503) where there is no room. A lone request always has room."""
        if self.rows and self.rows + rows > self.most:
            self._shed.inc()
            raise ProblemError(OVERLOADED, "too many requests are waiting already", retry_after=1)
        self.rows += rows

    def leave(self, rows: int) -> None:
        self.rows -= rows


class Coalescer(Generic[Row, Result]):
    """`call(rows, deadline)` answers each row with its result or its problem; at most `in_flight` calls run at once.

    A row that waited `seconds` for its turn gets a timeout, and a call has `seconds`, so no row is held longer than twice that. A row
    whose caller has gone is dropped before its call and ignored after it. Where a call is refused as a whole, its rows are halved until
    the refusal is pinned on the rows that cause it.
    """

    def __init__(
        self,
        call: Call[Row, Result],
        load: QueueLimit,
        metrics: Metrics,
        *,
        seconds: float,
        most_rows: int = 1_000,
        in_flight: int = 2,
    ) -> None:
        self._call = call
        self._load = load
        self._sizes = metrics.coalesced.of()
        self._seconds = seconds
        self._most_rows = most_rows
        self._in_flight = in_flight
        self._waiting: deque[_Entry[Row, Result]] = deque()
        self._running: set[asyncio.Task[Any]] = set()
        self._gathering = False

    async def submit(self, row: Row) -> Result | ProblemError:
        """The row's result or problem. Raises ProblemError at once where the gateway is overloaded."""
        self._load.enter(1)
        try:
            if not self._running and not self._gathering:
                # By the caller's own task: an idle gateway has nothing to gain from a task and a turn of the loop more.
                self._running.add(_this_task())
                return (await self._outcomes([row]))[0]
            loop = asyncio.get_running_loop()
            future: asyncio.Future[Result | ProblemError] = loop.create_future()
            self._waiting.append((row, future, loop.time() + self._seconds))
            if not self._gathering and len(self._running) < self._in_flight:
                self._start()
            return await future
        finally:
            self._load.leave(1)

    async def close(self) -> None:
        """Waits for the calls that run."""
        await asyncio.gather(*self._running, return_exceptions=True)

    def _start(self) -> None:
        """The next call, from the end of this turn of the loop: whatever arrives in the same turn comes along, and nothing waits."""
        self._gathering = True
        self._running.add(asyncio.get_running_loop().create_task(self._run()))

    def _gathered(self) -> list[_Entry[Row, Result]]:
        self._gathering = False
        waiting = self._waiting
        batch = [waiting.popleft() for _ in range(min(len(waiting), self._most_rows))]
        if waiting and len(self._running) < self._in_flight:
            self._start()
        return batch

    async def _run(self) -> None:
        batch = self._gathered()
        try:
            live = self._live(batch)
            for entry, outcome in zip(
                live, await self._outcomes([row for row, _, _ in live]), strict=True
            ):
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

    def _live(self, batch: list[_Entry[Row, Result]]) -> list[_Entry[Row, Result]]:
        """The rows whose callers still wait, and that did not wait too long."""
        now = asyncio.get_running_loop().time()
        live = [entry for entry in batch if entry[2] > now and not entry[1].done()]
        if len(live) < len(batch):
            for _, future, deadline in batch:
                if deadline <= now and not future.done():
                    future.set_result(
                        ProblemError(
                            UPSTREAM_TIMEOUT,
                            "the request waited too long for its turn",
                            retry_after=1,
                        )
                    )
        return live

    async def _outcomes(self, rows: list[Row]) -> Sequence[Result | ProblemError]:
        """Once they are there the next call goes out, before any answer is written: the model server works meanwhile."""
        try:
            if not rows:
                return []
            self._sizes.observe(len(rows))
            return await _outcomes(
                self._call, rows, asyncio.get_running_loop().time() + self._seconds
            )
        finally:
            self._running.discard(_this_task())
            if self._waiting and not self._gathering:
                self._start()


async def pinned(
    call: Call[Row, Result], rows: Sequence[Row], deadline: float
) -> Sequence[Result | ProblemError]:
    """Each row's outcome; of a call that is refused, the rows are halved until the refusal is pinned on those that cause it.

    Raises ProblemError where the call of all rows does.
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
    """As `pinned`; a problem of the call is each row's."""
    try:
        return await pinned(call, rows, deadline)
    except ProblemError as problem:
        return [problem] * len(rows)


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task
