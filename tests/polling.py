"""Waiting for another process by polling."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(
    call: Callable[[], T], good: Callable[[T], bool], seconds: float = 60.0, every: float = 0.1
) -> T:
    """Return the first result of `call` that is `good`.

    Raise AssertionError with the last one after `seconds`.
    """
    end = time.monotonic() + seconds
    while True:
        found = call()
        if good(found):
            return found
        assert time.monotonic() < end, found
        time.sleep(every)
