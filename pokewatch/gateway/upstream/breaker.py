"""Circuit breaker: stops calls to an upstream that keeps failing, then probes it."""

import time
from collections.abc import Callable
from enum import IntEnum


class State(IntEnum):
    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """Opens for `seconds` after `failures` consecutive failures, then allows one probe.

    A successful probe closes it. A failed one doubles the pause, up to `max_seconds`. A probe
    without a reported outcome counts as lost after `max_seconds`.
    """

    def __init__(
        self,
        failures: int,
        seconds: float = 1.0,
        max_seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_failures = failures
        self._first_pause = seconds
        self._max_pause = max_seconds
        self._clock = clock
        self._failures = 0
        self._pause = seconds
        self._open_until = 0.0
        self.state = State.CLOSED

    def wait(self) -> float:
        """Return the seconds until a request may pass: 0 for now.

        The outcome of a request that passes must be reported.
        """
        if self.state is State.CLOSED:
            return 0.0
        left = self._open_until - self._clock()
        if left > 0:
            return left
        self.state = State.HALF_OPEN
        self._open_until = self._clock() + self._max_pause
        return 0.0

    def observed_state(self) -> State:
        """Return the state for metrics: half open once the pause is over, even without a probe."""
        over = self.state is State.OPEN and self._clock() >= self._open_until
        return State.HALF_OPEN if over else self.state

    def succeeded(self) -> None:
        self.state = State.CLOSED
        self._failures = 0
        self._pause = self._first_pause

    def failed(self) -> None:
        self._failures += 1
        if self.state is State.HALF_OPEN:
            self._pause = min(self._pause * 2, self._max_pause)
            self._open()
        elif self.state is State.CLOSED and self._failures >= self._max_failures:
            self._open()

    def _open(self) -> None:
        self.state = State.OPEN
        self._open_until = self._clock() + self._pause
