"""The pace of requests to a source, and their count within a budget."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pokewatch.market.sources.request_store import DAY_SECONDS, BlockedError, RequestStore

_LONGEST_BLOCK = 60.0  # seconds that a request waits for the end of a block


class RequestGate:
    """A minimum pause between requests, of all threads, and with a `store` of all processes.

    The pause begins when the request before was answered: however long it was on its way, the
    server receives no two requests in less. Without a pause, requests do not wait for each other.
    """

    def __init__(
        self,
        pause: float,
        store: RequestStore | None = None,
        limit: int = 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._pause = pause
        self._store = store
        self._limit = limit
        self._now = now
        self._lock = threading.Lock()
        self._last: float | None = None
        self.sent = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the only right to send, from before the request until it is answered."""
        if not self._pause:
            yield
            return
        with self._lock, self._store.locked("pace") if self._store else nullcontext():
            yield

    def start(self, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        """Wait for the pause to end and count the request.

        Raise BudgetError, and BlockedError if the server has blocked requests for long.
        """
        if self._pause:
            last = self._store.last_answer() if self._store else self._last
            if last is not None and (wait := last + self._pause - clock()) > 0:
                sleep(min(wait, self._pause))  # the clock starts anew with the machine
        if self._store:
            if wait := self._store.blocked(self._now()):
                if wait > _LONGEST_BLOCK:
                    raise BlockedError(wait)
                sleep(wait)
            self._store.count_request(self._now(), self._limit)
        self.sent += 1

    def block(self, seconds: float) -> None:
        """Send nothing for `seconds`, in all processes that share the store.

        A block ends after a day: a server that names the wrong year must not end all collections.
        """
        if self._store:
            self._store.block(self._now(), min(seconds, DAY_SECONDS))

    def end(self, clock: Callable[[], float]) -> None:
        """Begin the pause."""
        self._last = clock()
        if self._pause and self._store:
            self._store.write_answer(self._last)


def retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header, None if it is absent or unreadable."""
    if not value:
        return None
    try:
        seconds = float(value)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # the latter for a year or zone of twenty digits
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
