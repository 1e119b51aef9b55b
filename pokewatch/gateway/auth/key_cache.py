"""The keys in memory, a quarter of a second behind the store."""

import asyncio
import hmac
import logging
import time
from collections.abc import Callable

from pokewatch.errors import KeyStoreError
from pokewatch.gateway.auth.keys import Key, KeyStore, digest

logger = logging.getLogger("pokewatch.gateway.auth.keys")

WATCH_SECONDS = 0.25
BLIND_SECONDS = 10.0

_NOBODY = digest("nobody")


class KeyCache:
    """All keys of a store. `watch` keeps them fresh.

    While the store cannot be read the last keys are used, for BLIND_SECONDS: from then on the
    gateway is closed, see `blind`. `clock` tells when keys end; `timer`, which nobody sets, measures
    how long ago the store was read.
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
        self._mark: tuple[int, ...] | None = None
        self._read_at = self._looked_at = timer()
        self._looking = asyncio.Lock()
        self.current = True

    def find(self, presented: str) -> Key | None:
        """The live key that was presented, else None: the same steps whether the id is known, the secret right or neither."""
        key = self._keys.get(presented[3:15])
        same = hmac.compare_digest(digest(presented), key.hash if key else _NOBODY)
        return key if key is not None and same and key.live(self._clock()) else None

    async def find_anew(self, presented: str) -> Key | None:
        """As `find`, after a look at the store that began no sooner than this call: a key works from the moment it is made."""
        asked = self._timer()
        async with self._looking:  # those who wait meanwhile share the next look
            if self._looked_at <= asked:
                await self._look()
        return self.find(presented)

    def blind(self) -> bool:
        """Whether the store has been unreadable for so long that a revoked key could not be told from a good one."""
        return self._timer() - self._read_at > BLIND_SECONDS

    def refresh(self) -> None:
        """Read the store if it changed. Raise KeyStoreError where it cannot be read, or is gone."""
        mark = self._store.mark()
        if mark is None and self._mark is not None:
            raise KeyStoreError(f"{self._store.path} is gone")
        if mark != self._mark:
            keys = self._store.keys()
            damaged = [key.id for key in keys if key.damaged]
            if damaged:
                logger.error("damaged keys", extra={"keys": damaged})
            self._keys = {key.id: key for key in keys}
            self._mark = mark
        self._read_at = self._timer()

    async def watch(self) -> None:
        """Refreshes several times a second until cancelled."""
        while True:
            async with self._looking:
                await self._look()
            await asyncio.sleep(WATCH_SECONDS)

    async def _look(self) -> None:
        """Refresh in a thread, for the file may be on a slow disk.

        Log once that the store cannot be read, and once that it can again.
        """
        self._looked_at = self._timer()
        try:
            await asyncio.to_thread(self.refresh)
        except KeyStoreError as error:
            if self.current:
                logger.error("key store unreadable", extra={"cause": str(error)})
            self.current = False
        except Exception:
            # Whatever it is, the watch goes on: without it nothing but a restart would help.
            if self.current:
                logger.exception("key store unreadable")
            self.current = False
        else:
            if not self.current:
                logger.warning("key store readable again")
            self.current = True
