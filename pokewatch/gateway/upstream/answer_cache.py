"""Answers kept: while their versions are served they answer again at once; later, while the model server is down, as stale ones."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from hashlib import sha256
from sys import getsizeof

import msgspec

from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.v2_messages import Versions

# The entry and its time, and their part of a table that has just been made larger beside the one it replaces.
_ENTRY = 320
_ALLOCATION = 16


class CachedAnswer(msgspec.Struct, frozen=True, gc=False):
    """A JSON object without its last members and brace: whether it is stale is for the moment of answering to say.

    There are so many that the garbage collector, which they give nothing to do, must not look at each.
    """

    prefix: bytes
    versions: Versions
    at: float
    signal: str
    size: int

    def of(self, versions: Versions) -> bool:
        """Whether it comes from these versions."""
        own = self.versions
        return (
            own.model_version == versions.model_version
            and own.data_version == versions.data_version
        )


class AnswerCache:
    """Least recently used go first beyond `most_bytes`. `fresh` finds nothing while `on` is False; `stale` still does."""

    def __init__(
        self,
        on: bool,
        most_bytes: int,
        stale_seconds: float,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on = on
        self._most = most_bytes
        self._stale_seconds = stale_seconds
        self._clock = clock
        self._kept: OrderedDict[Hashable, CachedAnswer] = OrderedDict()
        self._versions = Versions("", "")
        self._lookups = metrics.cache
        self.bytes = 0

    def fresh(self, request: Hashable, versions: Versions | None) -> CachedAnswer | None:
        """The answer to `request` if it comes from the versions that are served now."""
        if not self._on or versions is None:
            return None
        kept = self._kept.get(request)
        if kept is None or not kept.of(versions):
            self._lookups.add("miss")
            return None
        self._lookups.add("hit")
        self._kept.move_to_end(request)
        return kept

    def stale(self, request: Hashable) -> CachedAnswer | None:
        """The last answer to `request`, whatever it came from, if it is not too old."""
        kept = self._kept.get(request)
        if kept is None or self._clock() - kept.at >= self._stale_seconds:
            return None
        self._lookups.add("stale")
        return kept

    def keep(
        self,
        request: Hashable,
        prefix: bytes,
        model_version: str,
        data_version: str,
        signal: str = "",
    ) -> CachedAnswer:
        """`signal` is that of an answer about one card's fair price."""
        if (model_version, data_version) != (
            self._versions.model_version,
            self._versions.data_version,
        ):
            self._versions = Versions(
                model_version, data_version
            )  # one for all answers that come from them
        size = _ENTRY + _held(prefix) + _held(request)
        kept = CachedAnswer(prefix, self._versions, self._clock(), signal, size)
        former = self._kept.pop(request, None)
        if former is not None:
            self.bytes -= former.size
        self.bytes += size
        self._kept[request] = kept
        while self.bytes > self._most:
            _, gone = self._kept.popitem(last=False)
            self.bytes -= gone.size
        return kept


def _held(value: object) -> int:
    """Return the bytes of memory that a request or an answer takes, with all that a tuple holds."""
    parts = sum(map(_held, value)) if isinstance(value, tuple) else 0
    return getsizeof(value) + _ALLOCATION + parts


def etag(model_version: str, data_version: str) -> bytes:
    """The strong entity tag of every answer that these versions give: the same address, the same bytes."""
    return (
        b'"' + sha256(f"{model_version}\n{data_version}".encode()).hexdigest()[:32].encode() + b'"'
    )


def matches(if_none_match: bytes, tag: bytes) -> bool:
    """Whether an If-None-Match field names `tag` (RFC 9110: weak comparison)."""
    return any(
        given.strip().removeprefix(b"W/") in (tag, b"*") for given in if_none_match.split(b",")
    )
