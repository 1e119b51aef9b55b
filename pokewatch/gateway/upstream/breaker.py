"""Circuit breaker: after repeated failures an upstream is left alone, then tried with one request at a time."""

import time
from collections.abc import Callable
from enum import IntEnum


class State(IntEnum):
    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """Opens after `failures` in a row, for `seconds`; then lets one probe pass, and closes when it succeeds.

    Each failed probe doubles the pause, up to `longest` seconds. A probe that is never reported counts as lost after `longest`.
    """

    def __init__(
        self,
        failures: int = 5,
        seconds: float = 1.0,
        longest: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._first = seconds
        self._longest = longest
        self._clock = clock
        self._failures = 0
        self._pause = seconds
        self._open_until = 0.0
        self.state = State.CLOSED

    def wait(self) -> float:
        """0 if a request may pass now (and then its outcome must be reported), else the seconds until one may."""
        if self.state is State.CLOSED:
            return 0.0
        left = self._open_until - self._clock()
        if left > 0:
            return left
        self.state = State.HALF_OPEN
        self._open_until = self._clock() + self._longest
        return 0.0

    def told(self) -> State:
        """The state as others see it: one whose pause is over stands half open, whether or not anybody has come to try."""
        return (
            State.HALF_OPEN
            if self.state is State.OPEN and self._clock() >= self._open_until
            else self.state
        )

    def succeeded(self) -> None:
        self.state = State.CLOSED
        self._failures = 0
        self._pause = self._first

    def failed(self) -> None:
        self._failures += 1
        if self.state is State.HALF_OPEN:
            self._pause = min(self._pause * 2, self._longest)
            self._open()
        elif self.state is State.CLOSED and self._failures >= self._limit:
            self._open()

    def _open(self) -> None:
        self.state = State.OPEN
        self._open_until = self._clock() + self._pause
