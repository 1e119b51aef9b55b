"""A key that is valid while its process runs, and expires soon after the process is killed."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from pokewatch.errors import KeyStoreError
from pokewatch.gateway.auth.keys import KeyStore

logger = logging.getLogger(__name__)

SPAN = timedelta(seconds=60)
RENEW_SECONDS = 20.0


class Lease:
    """A new key called `name` that expires after SPAN unless `renew` is called."""

    def __init__(self, store: KeyStore, name: str, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._renewed_at = clock()
        made = store.create(name, expires=SPAN)
        self._id = made.id
        self.key = made.key

    def renew(self) -> None:
        """Extend the key if its last renewal was RENEW_SECONDS ago, or the clock was set back.

        A revoked key stays revoked.
        """
        now = self._clock()
        if 0 <= now - self._renewed_at < RENEW_SECONDS:
            return
        self._renewed_at = now
        try:
            self._store.extend(self._id, SPAN)
        except KeyStoreError as error:
            logger.warning("the API key printed at start-up could not be renewed: %s", error)

    def end(self) -> None:
        with suppress(KeyStoreError):  # it expires anyway
            self._store.revoke(self._id)
