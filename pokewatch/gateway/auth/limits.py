"""Rate limits in memory: at most N requests in any window of time.

A window is divided into slots, each with a count and the time of its last request. All requests of
a slot count until that one is as old as the window. The limit is therefore never exceeded, whatever
the phase of the window, and a client waits at most one slot (1/60 of the window) longer than
necessary, and never longer than the window.
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
    """At most `count` requests in any `seconds`."""

    count: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Return a text such as `100/minute` as a rate. Raise ValueError for anything else."""
        match = _RATE.fullmatch(text.strip())
        if match is None or int(match[1]) == 0:
            given = repr(text if len(text) <= 60 else f"{text[:60]}...")
            raise ValueError(
                f"got {given}, expected a number from 1 to 999999999 per second, minute, hour or "
                "day, such as 100/minute, or none"
            )
        return cls(int(match[1]), _PERIODS[match[2]])

    def __str__(self) -> str:
        period = next(name for name, seconds in _PERIODS.items() if seconds == self.seconds)
        return f"{self.count}/{period}"


class LimitDecision(msgspec.Struct, frozen=True, gc=False):
    """Whether a request is allowed, how many more are, and the seconds until a slot is freed.

    These are at most those of the window.
    """

    allowed: bool
    remaining: int
    reset: float

    @property
    def wait(self) -> int:
        """Return the whole seconds to wait before trying again."""
        return max(1, math.ceil(self.reset))


class Limiter(Protocol):
    async def hit(self, name: str, rate: Rate) -> LimitDecision:
        """Count one request of `name` if the rate allows it. Rejected ones are not counted."""
        ...


class Window:
    """The recent requests of one name, by slot: its number, its count and its last time."""

    __slots__ = ("rate", "slots", "total", "width")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.width = rate.seconds / SLOTS
        self.slots: deque[tuple[int, int, float]] = deque()
        self.total = 0

    def hit(self, now: float) -> LimitDecision:
        slots, seconds, limit = self.slots, self.rate.seconds, self.rate.count
        while slots and slots[0][2] + seconds <= now:
            self.total -= slots.popleft()[1]
        allowed = self.total < limit
        if allowed:
            self._count(now)
        reset = slots[0][2] + seconds - now if slots else 0.0
        return LimitDecision(allowed, limit - self.total, min(max(0.0, reset), seconds))

    def _count(self, now: float) -> None:
        slot, count, last = int(now / self.width), 1, now
        # Slots stay in order even if the clock steps back.
        if self.slots and self.slots[-1][0] >= slot:
            slot, count, last = self.slots.pop()
            count, last = count + 1, max(last, now)
        self.slots.append((slot, count, last))
        self.total += 1


class MemoryLimiter:
    """Limits in this process only. Has at most `size` names, the least recently used go first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, size: int = 100_000) -> None:
        self._clock = clock
        self._size = size
        self._windows: OrderedDict[str, Window] = OrderedDict()

    async def hit(self, name: str, rate: Rate) -> LimitDecision:
        return self.count(name, rate)

    def count(self, name: str, rate: Rate) -> LimitDecision:
        window = self._windows.get(name)
        if window is None or (window.rate is not rate and window.rate != rate):
            window = self._windows[name] = Window(rate)
            if len(self._windows) > self._size:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(name)
        return window.hit(self._clock())


def headers(decision: LimitDecision, rate: Rate) -> tuple[tuple[bytes, bytes], ...]:
    """Return the response headers of draft-ietf-httpapi-ratelimit-headers-10."""
    limit = b'"key";r=%d;t=%d' % (decision.remaining, math.ceil(decision.reset))
    return _policy(rate), (b"ratelimit", limit)


@lru_cache(maxsize=1_000)
def _policy(rate: Rate) -> tuple[bytes, bytes]:
    return b"ratelimit-policy", b'"key";q=%d;w=%d' % (rate.count, rate.seconds)
