"""Waiting for what another process does, and nothing announces."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(
    ask: Callable[[], T], good: Callable[[T], bool], seconds: float = 60.0, every: float = 0.1
) -> T:
    """The first answer of `ask` that is `good`; AssertionError with the last one after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        found = ask()
        if good(found):
            return found
        assert time.monotonic() < end, found
        time.sleep(every)  # the interval of a poll
