"""The number of files that a gateway sends at the same time, to all callers and to each of them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from pokewatch.gateway.auth.authentication import limited_address
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import OVERLOADED, RATE_LIMITED, ProblemError

MAX_DOWNLOADS = 16
MAX_OF_A_CALLER = 4
_RETRY_SECONDS = 5


class DownloadLimit:
    """Counts the downloads of one kind: a client that reads slowly must not hold up the others."""

    def __init__(self) -> None:
        self._callers: Counter[str] = Counter()

    @property
    def running(self) -> int:
        """The number of downloads in progress."""
        return self._callers.total()

    @contextmanager
    def counted(self, context: RequestContext) -> Iterator[None]:
        """Count a download of the request's key, or of its address without one.

        Raise ProblemError with 429 or 503.
        """
        key = context.key
        caller = limited_address(context.address) if key is None else f"key:{key.id}"
        if self._callers[caller] >= MAX_OF_A_CALLER:
            detail = f"{MAX_OF_A_CALLER} downloads of yours are in progress: wait for one to end"
            raise ProblemError(RATE_LIMITED, detail, retry_after=_RETRY_SECONDS)
        if self.running >= MAX_DOWNLOADS:
            detail = f"{MAX_DOWNLOADS} downloads are in progress"
            raise ProblemError(OVERLOADED, detail, retry_after=_RETRY_SECONDS)
        self._callers[caller] += 1
        try:
            yield
        finally:
            self._callers[caller] -= 1
            if not self._callers[caller]:
                del self._callers[caller]
