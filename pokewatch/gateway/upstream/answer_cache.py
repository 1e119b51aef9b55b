"""Cache of answers: fresh while their versions are served, stale while the model server is down."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from hashlib import sha256
from sys import getsizeof

import msgspec

from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.v2_messages import Versions

# Memory of an entry and its timestamp, with its share of a hash table that is being resized.
_ENTRY = 320
_ALLOCATION = 16
_MAX_VERSIONS = 256


class CachedAnswer(msgspec.Struct, frozen=True, gc=False):
    """A JSON object up to its `stale` member, which is appended when the answer is sent.

    Not tracked by the garbage collector: there are many, and none is part of a cycle.
    """

    prefix: bytes
    versions: Versions
    at: float
    signal: str
    size: int

    def is_from(self, versions: Versions) -> bool:
        own = self.versions
        return (
            own.model_version == versions.model_version
            and own.data_version == versions.data_version
        )


class AnswerCache:
    """LRU cache of at most `max_bytes`. While it is not `enabled`, only `stale` finds answers.

    An answer ages from when its versions were last served: until then it was what the model server
    would have answered. Look-ups are counted for the `market` that they are given.
    """

    def __init__(
        self,
        enabled: bool,
        max_bytes: int,
        stale_seconds: float,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._enabled = enabled
        self._max_bytes = max_bytes
        self._stale_seconds = stale_seconds
        self._clock = clock
        self._entries: OrderedDict[Hashable, CachedAnswer] = OrderedDict()
        self._versions: dict[tuple[str, str], Versions] = {}
        self._lookups = metrics.cache
        self.bytes = 0

    def fresh(
        self, request: Hashable, versions: Versions | None, market: str = ""
    ) -> CachedAnswer | None:
        """Return the answer to `request` if it comes from `versions`."""
        if not self._enabled or versions is None:
            return None
        found = self._entries.get(request)
        if found is None or not found.is_from(versions):
            self._lookups.of(market)["miss"] += 1
            return None
        self._lookups.of(market)["hit"] += 1
        self._entries.move_to_end(request)
        return found

    def stale(
        self, request: Hashable, served: Versions | None, served_at: float, market: str = ""
    ) -> CachedAnswer | None:
        """Return the last answer to `request` from any versions, unless it is too old.

        `served` are the versions that the model server had at `served_at`, when it last answered.
        """
        found = self._entries.get(request)
        if found is None:
            return None
        at = max(found.at, served_at) if served and found.is_from(served) else found.at
        if self._clock() - at >= self._stale_seconds:
            return None
        self._lookups.of(market)["stale"] += 1
        return found

    def put(
        self,
        request: Hashable,
        prefix: bytes,
        model_version: str,
        data_version: str,
        signal: str = "",
    ) -> CachedAnswer:
        """Store an answer. `signal` is set for fair prices, so that a hit can be counted by it."""
        versions = self._shared_versions(model_version, data_version)
        replaced = self._entries.pop(request, None)
        if replaced is None:
            size = _ENTRY + _memory(prefix) + _memory(request)
        else:
            self.bytes -= replaced.size
            size = replaced.size + len(prefix) - len(replaced.prefix)
        entry = CachedAnswer(prefix, versions, self._clock(), signal, size)
        self.bytes += size
        self._entries[request] = entry
        while self.bytes > self._max_bytes:
            _, evicted = self._entries.popitem(last=False)
            self.bytes -= evicted.size
        return entry

    def _shared_versions(self, model_version: str, data_version: str) -> Versions:
        """Return an object for the versions that many entries share."""
        key = (model_version, data_version)
        versions = self._versions.get(key)
        if versions is None:
            if len(self._versions) >= _MAX_VERSIONS:
                self._versions.clear()
            versions = self._versions[key] = Versions(*key)
        return versions


def _memory(value: object) -> int:
    """Return the bytes of memory that a request or an answer takes, tuples with their items."""
    parts = sum(map(_memory, value)) if isinstance(value, tuple) else 0
    return getsizeof(value) + _ALLOCATION + parts


def etag(body: bytes, coding: bytes = b"") -> bytes:
    """Return the strong entity tag of a body that is sent in a content coding.

    It is made from the body and not from the versions of model and data: settings such as the
    thresholds change an answer of the same versions.
    """
    digest = sha256(body).hexdigest()[:32].encode()
    return b'"%s"' % b"-".join(filter(None, (digest, coding)))


def etag_matches(if_none_match: bytes, tag: bytes) -> bool:
    """Return whether an If-None-Match header names `tag` (RFC 9110, weak comparison)."""
    return any(
        given.strip().removeprefix(b"W/") in (tag, b"*") for given in if_none_match.split(b",")
    )
