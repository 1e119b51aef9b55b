"""Concurrent requests share one call. An idle gateway sends at once; while calls are in flight, arrivals gather for the next."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.problems import OVERLOADED, UPSTREAM_TIMEOUT, ProblemError, invalid
from pokewatch.gateway.upstream import RefusedError

Row = TypeVar("Row")
Result = TypeVar("Result")
Call = Callable[[Sequence[Row], float], Awaitable[Sequence[Result | ProblemError]]]


class Load:
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


@dataclass(slots=True, eq=False)
class _Entry(Generic[Row, Result]):
    row: Row
    future: "asyncio.Future[Result | ProblemError]"
    deadline: float


class Coalescer(Generic[Row, Result]):
    """`call(rows, deadline)` answers each row with its result or its problem; at most `in_flight` calls run at once.

    A row that waited `seconds` for its turn gets a timeout, and a call has `seconds` from its newest row, so no row is held longer
    than twice that. A row whose caller has gone is dropped before its call and ignored after it. Where a call is refused as a
    whole, its rows are halved until the refusal is pinned on the rows that cause it.
    """

    def __init__(
        self, call: Call[Row, Result], load: Load, metrics: Metrics, *, seconds: float, most_rows: int = 1_000, in_flight: int = 2
    ) -> None:
        self._call = call
        self._load = load
        self._sizes = metrics.coalesced
        self._seconds = seconds
        self._most_rows = most_rows
        self._in_flight = in_flight
        self._waiting: deque[_Entry[Row, Result]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._due = False

    def submit(self, row: Row) -> "asyncio.Future[Result | ProblemError]":
        """A future of the row's result or problem. Raises ProblemError at once where the gateway is overloaded."""
        self._load.enter(1)
        loop = asyncio.get_running_loop()
        entry: _Entry[Row, Result] = _Entry(row, loop.create_future(), loop.time() + self._seconds)
        self._waiting.append(entry)
        if not self._due and len(self._running) < self._in_flight:
            # At the end of this turn of the loop: whatever arrives in the same turn comes along, and nothing waits.
            self._due = True
            loop.call_soon(self._start)
        return entry.future

    async def close(self) -> None:
        """Waits for the calls that run."""
        await asyncio.gather(*self._running, return_exceptions=True)

    def _start(self) -> None:
        self._due = False
        while self._waiting and len(self._running) < self._in_flight:
            waiting = self._waiting
            batch = [waiting.popleft() for _ in range(min(len(waiting), self._most_rows))]
            task = asyncio.get_running_loop().create_task(self._run(batch))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._start()

    async def _run(self, batch: list[_Entry[Row, Result]]) -> None:
        try:
            await self._settle([entry for entry in batch if self._in_time(entry)])
        except Exception as error:
            for entry in batch:
                if not entry.future.done():
                    entry.future.set_exception(error)
        finally:
            for entry in batch:
                entry.future.cancel()
            self._load.leave(len(batch))

    def _in_time(self, entry: _Entry[Row, Result]) -> bool:
        if entry.future.done():
            return False
        if asyncio.get_running_loop().time() < entry.deadline:
            return True
        entry.future.set_result(ProblemError(UPSTREAM_TIMEOUT, "the request waited too long for its turn", retry_after=1))
        return False

    async def _settle(self, batch: list[_Entry[Row, Result]]) -> None:
        if not batch:
            return
        self._sizes.observe(len(batch))
        outcomes = await self._answer([entry.row for entry in batch], batch[-1].deadline)
        for entry, outcome in zip(batch, outcomes, strict=True):
            if not entry.future.done():
                entry.future.set_result(outcome)

    async def _answer(self, rows: Sequence[Row], deadline: float) -> Sequence[Result | ProblemError]:
        try:
            return await self._call(rows, deadline)
        except ProblemError as problem:
            return [problem] * len(rows)
        except RefusedError as refused:
            if len(rows) == 1:
                return [invalid("", str(refused))]
        half = len(rows) // 2
        return [*await self._answer(rows[:half], deadline), *await self._answer(rows[half:], deadline)]
