"""Judging the watches by the champion's book, and sending what is due."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pokewatch import notify
from pokewatch.errors import BookError, PokeWatchError, RegistryError
from pokewatch.registry import Registry
from pokewatch.settings import PriceWatchSettings
from pokewatch.watches.database import WatchDatabase
from pokewatch.watches.delivery import Deliverer, SentDeliveries
from pokewatch.watches.judging import JudgedWatches, judge
from pokewatch.watches.outbox import Outbox
from pokewatch.watches.store import WatchStore

logger = logging.getLogger("pokewatch.watches")

_POLL_SECONDS = 15.0
_BACKGROUND_SECONDS = 60.0


def judge_watches(
    registries: Sequence[Registry] | None = None,
) -> tuple[JudgedWatches, SentDeliveries]:
    """Judge all watches by the champions' books, then send the deliveries that are due.

    `registries` are of one market each, by default the one that this process works on. A deploy on
    a branch judges none: watches are about the market that is served. A champion that cannot be
    opened keeps neither the watches of other markets nor deliveries back, and is raised afterwards.
    Raise WatchStoreError, NoChampionError, BookError, RegistryError.
    """
    registries = registries or [Registry()]
    if branch := registries[0].branch:
        logger.info("the watches are not judged on branch %s", branch)
        return JudgedWatches(), SentDeliveries()
    failures: list[PokeWatchError] = []
    database = WatchDatabase.configured()
    try:
        store = WatchStore(database, PriceWatchSettings.read().watches_per_key)
        judged = JudgedWatches()
        for registry in registries:
            try:
                champion = registry.resolve()
                book = registry.open_book(champion)
            except (BookError, RegistryError) as error:
                failures.append(error)
            else:
                judged += judge(store, book, champion.version, notify.address_digests())
        outbox = Outbox(database)
        outbox.prune()
        sent = Deliverer.configured(outbox).run()
    finally:
        database.close()
    if failures:
        raise failures[0]
    return judged, sent


def deliver(follow: bool = False) -> SentDeliveries:
    """Send the deliveries that are due. With `follow`, go on until none is left to retry."""
    database = WatchDatabase.configured()
    try:
        outbox = Outbox(database)
        deliverer = Deliverer.configured(outbox)
        sent = deliverer.run()
        while follow and outbox.pending():
            time.sleep(_POLL_SECONDS)
            later = deliverer.run()
            sent = SentDeliveries(sent.sent + later.sent, later.retried, sent.failed + later.failed)
        return sent
    finally:
        database.close()


@contextmanager
def delivering(seconds: float = _BACKGROUND_SECONDS) -> Iterator[None]:
    """Send the deliveries that are due every `seconds`, in a thread. Failures are logged."""
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            try:
                deliver()
            except PokeWatchError as error:
                logger.warning("the notifications of watches cannot be sent: %s", error)
            stopped.wait(seconds)

    threading.Thread(target=work, name="deliver", daemon=True).start()
    try:
        yield
    finally:
        stopped.set()
