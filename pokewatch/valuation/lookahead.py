"""Computing the next items of an iterator in a thread while one is used."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_AHEAD = 2  # items: each takes memory, and more are of use only where one takes longer than others

Item = TypeVar("Item")


def computed_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield `items`, up to two of which are computed ahead in a thread.

    This saves time where both sides work on large arrays, as NumPy then releases the interpreter's
    lock. An error of `items` is raised where it would be without the thread.
    """
    end = object()
    with ThreadPoolExecutor(1, "lookahead") as pool:
        pending = deque(pool.submit(next, items, end) for _ in range(_AHEAD))
        try:
            while (item := pending.popleft().result()) is not end:
                pending.append(pool.submit(next, items, end))
                yield item  # type: ignore[misc]
        finally:
            for future in pending:
                future.cancel()
