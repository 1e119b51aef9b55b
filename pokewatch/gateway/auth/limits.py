"""Rate limits: at most N requests in any window, exactly, in memory.

A window is cut in SLOTS slots and counts are kept per slot. A request counts for the whole slot it came in, so the limit is
never exceeded in any window whatever its phase, and a request waits at most one slot (1/60 of the window) longer than it had to.
"""

import math
import re
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import msgspec

SLOTS = 60
_PERIODS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
_RATE = re.compile(r"([0-9]{1,9})/(second|minute|hour|day)")


class Rate(msgspec.Struct, frozen=True):
    """`count` requests in any `seconds`."""

    count: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """`100/minute`. Raises ValueError for anything else."""
        match = _RATE.fullmatch(text.strip())
        if match is None or int(match[1]) == 0:
            given = repr(text if len(text) <= 60 else f"{text[:60]}...")
            wanted = "a number from 1 to 999999999 a second, minute, hour or day, like 100/minute, or none"
            raise ValueError(f"got {given}, expected {wanted}")
        return cls(int(match[1]), _PERIODS[match[2]])

    def __str__(self) -> str:
        period = next(name for name, seconds in _PERIODS.items() if seconds == self.seconds)
        return f"{self.count}/{period}"


class LimitDecision(msgspec.Struct, frozen=True, gc=False):
    """Whether a request may pass, how many more may, and in how many seconds the next (if none: the first) slot frees."""

    allowed: bool
    remaining: int
    reset: float

    @property
    def wait(self) -> int:
        """Whole seconds to wait before trying again."""
        return max(1, math.ceil(self.reset))


class Limiter(Protocol):
    async def hit(self, name: str, rate: Rate) -> LimitDecision:
        """Counts one request of `name` if the rate allows it; a refused request is not counted."""
        ...


class Window:
    """The requests of one name in the last window."""

    __slots__ = ("rate", "slots", "total", "width")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.width = rate.seconds / SLOTS
        self.slots: deque[list[int]] = deque()
        self.total = 0

    def hit(self, now: float) -> LimitDecision:
        slots, width, most = self.slots, self.width, self.rate.count
        slot = int(now / width)
        while slots and slots[0][0] < slot - SLOTS:
            self.total -= slots.popleft()[1]
        allowed = self.total < most
        if allowed:
            # A clock that steps back must not put slots out of order.
            if slots and slots[-1][0] >= slot:
                slots[-1][1] += 1
            else:
                slots.append([slot, 1])
            self.total += 1
        reset = ((slots[0][0] if slots else slot) + SLOTS + 1) * width - now
        return LimitDecision(allowed, most - self.total, max(0.0, reset))


class MemoryLimiter:
    """Limits of this process alone. Holds at most `most` names: beyond it, the one idle for longest is forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = 100_000) -> None:
        self._clock = clock
        self._most = most
        self._windows: OrderedDict[str, Window] = OrderedDict()

    async def hit(self, name: str, rate: Rate) -> LimitDecision:
        return self.count(name, rate)

    def count(self, name: str, rate: Rate) -> LimitDecision:
        window = self._windows.get(name)
        if window is None or (window.rate is not rate and window.rate != rate):
            window = self._windows[name] = Window(rate)
            if len(self._windows) > self._most:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(name)
        return window.hit(self._clock())


def fields(verdict: LimitDecision, rate: Rate) -> tuple[tuple[bytes, bytes], ...]:
    """The header fields of draft-ietf-httpapi-ratelimit-headers-10."""
    return _policy(rate), (
        b"ratelimit",
        b'"key";r=%d;t=%d' % (verdict.remaining, math.ceil(verdict.reset)),
    )


@lru_cache(maxsize=1_000)
def _policy(rate: Rate) -> tuple[bytes, bytes]:
    return b"ratelimit-policy", b'"key";q=%d;w=%d' % (rate.count, rate.seconds)
