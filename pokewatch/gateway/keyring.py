"""The keys in memory, never more than a second behind the store."""

import asyncio
import hmac
import logging
import time
from collections.abc import Callable

from pokewatch.errors import KeyStoreError
from pokewatch.gateway.keys import Key, KeyStore, digest

logger = logging.getLogger("pokewatch.gateway.keys")

WATCH_SECONDS = 0.25
BLIND_SECONDS = 10.0

_NOBODY = digest("nobody")


class Keyring:
    """All keys of a store. `watch` keeps it fresh; a store not readable for BLIND_SECONDS closes the gateway: see `blind`."""

    def __init__(self, store: KeyStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._revision = -2
        self._read_at = self._looked_at = clock()
        self._looking = asyncio.Lock()
        self._readable = True

    def find(self, presented: str) -> Key | None:
        """The live key that was presented, else None: the same steps whether the id is known, the secret right or neither."""
        key = self._keys.get(presented[3:15])
        same = hmac.compare_digest(digest(presented), key.hash if key else _NOBODY)
        return key if key is not None and same and key.live(self._clock()) else None

    async def find_anew(self, presented: str) -> Key | None:
        """As `find`, after a look at the store that began no sooner than this call: a key works from the moment it is made."""
        asked = self._clock()
        async with self._looking:  # those who wait meanwhile share the next look
            if self._looked_at <= asked:
                await self._look()
        return self.find(presented)

    def blind(self) -> bool:
        """Whether the store has been unreadable for so long that a revoked key could not be told from a good one."""
        return self._clock() - self._read_at > BLIND_SECONDS

    def refresh(self) -> None:
        """Reads the store if it changed. Raises KeyStoreError."""
        revision = self._store.revision()
        if revision != self._revision:
            self._keys = {key.id: key for key in self._store.list()}
            self._revision = revision
        self._read_at = self._clock()

    async def watch(self) -> None:
        """Refreshes several times a second until cancelled."""
        while True:
            async with self._looking:
                await self._look()
            await asyncio.sleep(WATCH_SECONDS)

    async def _look(self) -> None:
        """Refreshes in a thread, for the file may be on a slow disk; tells once of a store that cannot be read."""
        self._looked_at = self._clock()
        try:
            await asyncio.to_thread(self.refresh)
            self._readable = True
        except KeyStoreError as error:
            if self._readable:
                logger.error("key store unreadable", extra={"cause": str(error)})
            self._readable = False
