"""An in-memory copy of the key store, at most a quarter of a second old."""

import asyncio
import hmac
import logging
import time
from collections.abc import Callable

from pokewatch.errors import KeyStoreError
from pokewatch.gateway.auth.keys import Key, KeyStore, digest

logger = logging.getLogger("pokewatch.gateway.auth.keys")

POLL_SECONDS = 0.25
MAX_AGE_SECONDS = 10.0

_NO_KEY = digest("no key")


class KeyCache:
    """All keys of a store, refreshed by `poll`.

    While the store cannot be read, the keys read last are used for MAX_AGE_SECONDS; after that the
    cache is `outdated`. `current` is whether the last read succeeded. `clock` is the time at which
    keys expire; `timer` is monotonic and measures the age of the cache.
    """

    def __init__(
        self,
        store: KeyStore,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._timer = timer
        self._keys: dict[str, Key] = {}
        self._fingerprint: tuple[int, ...] | None = None
        self._read_at = self._refreshed_at = timer()
        self._lock = asyncio.Lock()
        self.current = True

    def find(self, presented: str) -> Key | None:
        """Return the live key that was presented, or None.

        The work is the same whether the id is unknown, the secret is wrong, or both are right.
        """
        key = self._keys.get(presented[3:15])
        same = hmac.compare_digest(digest(presented), key.hash if key else _NO_KEY)
        return key if key is not None and same and key.live(self._clock()) else None

    def by_id(self, key_id: str) -> Key | None:
        """Return the live key with this id, or None."""
        key = self._keys.get(key_id)
        return key if key is not None and key.live(self._clock()) else None

    async def refresh_and_find(self, presented: str) -> Key | None:
        """Return as `find`, after a refresh that begins after this call.

        A key thus works from the moment it is created.
        """
        called_at = self._timer()
        async with self._lock:  # callers that wait for it share the next refresh
            if self._refreshed_at <= called_at:
                await self._try_refresh()
        return self.find(presented)

    def outdated(self) -> bool:
        """Return whether the cache is so old that a key in it may have been revoked long ago."""
        return self._timer() - self._read_at > MAX_AGE_SECONDS

    def refresh(self) -> None:
        """Read the store if it changed. Raise KeyStoreError if it is unreadable or was deleted."""
        fingerprint = self._store.fingerprint()
        if fingerprint is None and self._fingerprint is not None:
            raise KeyStoreError(f"{self._store.path} was deleted")
        if fingerprint != self._fingerprint:
            keys = self._store.keys()
            damaged = [key.id for key in keys if key.damaged]
            if damaged:
                logger.error("damaged keys", extra={"keys": damaged})
            self._keys = {key.id: key for key in keys}
            self._fingerprint = fingerprint
        self._read_at = self._timer()

    async def poll(self) -> None:
        """Refresh every POLL_SECONDS until cancelled."""
        while True:
            async with self._lock:
                await self._try_refresh()
            await asyncio.sleep(POLL_SECONDS)

    async def _try_refresh(self) -> None:
        """Refresh in a thread, because the file may be on a slow disk.

        Log when the store becomes unreadable, and when it becomes readable again.
        """
        self._refreshed_at = self._timer()
        try:
            await asyncio.to_thread(self.refresh)
        except KeyStoreError as error:
            if self.current:
                logger.error("key store unreadable", extra={"cause": str(error)})
            self.current = False
        except Exception:
            # Polling must go on: without it only a restart would help.
            if self.current:
                logger.exception("key store unreadable")
            self.current = False
        else:
            if not self.current:
                logger.warning("key store readable again")
            self.current = True
