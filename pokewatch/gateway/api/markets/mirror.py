"""Questions that one variant has answered, also sent to the other, to compare the signals."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from pokewatch.gateway.api.composition import CardQuery
from pokewatch.gateway.api.schemas import FairPrice
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.upstream.coalescing import Call
from pokewatch.gateway.upstream.v2_client import RefusedError

logger = logging.getLogger("pokewatch.gateway.markets")

_MAX_QUEUE = 200  # answers that wait
_MAX_ROWS = 100  # of a call
_PAUSE = 0.02  # seconds between two calls, which leaves the model server to others
_SECONDS = 2.0


Pair = tuple[CardQuery, FairPrice, FairPrice]  # the answers of both variants
OnPairs = Callable[[Sequence[Pair]], None]
OnCount = Callable[[int], None]


class Mirror:
    """A bounded queue in front of `call`, which asks the other variant, one call at a time.

    Nobody waits for it. `on_pairs` receives the answers of both variants. `on_failed` receives how
    many answers went without a counterpart because the call failed, `on_dropped` because the queue
    was full.
    """

    def __init__(
        self,
        call: Call[CardQuery, FairPrice],
        on_pairs: OnPairs,
        on_failed: OnCount,
        on_dropped: OnCount,
    ) -> None:
        self._call = call
        self._on_pairs = on_pairs
        self._on_failed = on_failed
        self._on_dropped = on_dropped
        self._queue: deque[tuple[CardQuery, FairPrice]] = deque()
        self._task: asyncio.Task[None] | None = None

    def add(self, card: CardQuery, answer: FairPrice) -> None:
        """Compare an answer later, unless too many wait."""
        if len(self._queue) >= _MAX_QUEUE:
            self._on_dropped(1)
            return
        # Without the headers, which would hold on to the request.
        self._queue.append((msgspec.structs.replace(card, headers=bytes), answer))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def close(self) -> None:
        """Drop what waits."""
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while self._queue:
            await asyncio.sleep(_PAUSE)
            count = min(len(self._queue), _MAX_ROWS)
            batch = [self._queue.popleft() for _ in range(count)]
            deadline = asyncio.get_running_loop().time() + _SECONDS
            try:
                found = await self._call([card for card, _ in batch], deadline)
            except (ProblemError, RefusedError):
                # What waits was answered before: in an outage it would fail for no other reason.
                self._on_failed(len(batch) + len(self._queue))
                self._queue.clear()
                continue
            except Exception:
                logger.exception("unexpected error")
                continue
            self._on_pairs(
                [
                    (card, answer, other)
                    for (card, answer), other in zip(batch, found, strict=True)
                    if isinstance(other, FairPrice)
                ]
            )
