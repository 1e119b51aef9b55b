"""The rules of retention, applied one after another, to all markets at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import starmap

from pokewatch.errors import PokeWatchError
from pokewatch.registry import Registry
from pokewatch.registry_database import ListedVersion
from pokewatch.retention.data_versions import is_owned, remove_unused_files
from pokewatch.retention.event_days import remove_old_events
from pokewatch.retention.leftovers import remove_leftovers
from pokewatch.retention.model_books import (
    registered_books,
    remove_book,
    unused_books,
)
from pokewatch.retention.runs import remove_old_runs
from pokewatch.settings import Home, RegistrySettings, RetentionSettings, VersionSettings


@dataclass(frozen=True, slots=True)
class Removed:
    """A removal, done or possible, with its size in bytes; or the fault that prevented it."""

    name: str
    size: int
    fault: str = ""


def tidy(
    *,
    dry_run: bool = False,
    datastore: str | None = None,
    own_task: str = "",
    now: datetime | None = None,
) -> Iterator[Removed]:
    """Remove what no rule keeps, and yield it.

    `datastore` is the root of Metaflow's datastore, by default the one in POKEWATCH_HOME.
    `own_task` (flow/run/step/task) names the Metaflow task that calls this, if any. A rule that
    fails is yielded with its fault, and does not stop the others.
    """
    now = now or datetime.now(UTC)
    keep = timedelta(days=RetentionSettings.read().keep_days)
    if not keep:
        return
    home = Home.read().home
    root = datastore or str(home / ".metaflow")
    # Price books come last: their removal needs some room in the registry's database.
    leftovers = remove_leftovers(home, now, dry_run=dry_run)
    yield from _guarded("leftovers", lambda: starmap(Removed, leftovers))
    events = remove_old_events(Home.read().events, now, keep, dry_run=dry_run)
    yield from _guarded("events", lambda: starmap(Removed, events))
    runs = remove_old_runs(root, now, keep, dry_run=dry_run, own_task=own_task)
    yield from _guarded("runs", lambda: starmap(Removed, runs))
    yield from _guarded("price books", lambda: _books_and_data(now, keep, dry_run))


def _books_and_data(now: datetime, keep: timedelta, dry_run: bool) -> Iterator[Removed]:
    registry = Registry()
    if registry.branch:  # it may read production's models, but must not change them
        return
    settings, retained = RegistrySettings.read(), list[ListedVersion]()
    for model, books in registered_books(registry).items():
        market = settings.market_of(model)
        unused = unused_books(books, now, keep) if market is not None else []
        retained += [book for book in books if book not in unused]
        for book in unused:
            of_market = f" of {market}" if market else ""
            name = f"price book of model version {book.version}{of_market}"
            removed = _removed_book(registry, book, name, now, dry_run)
            if removed.fault:
                retained.append(book)
            yield removed
    if is_owned(VersionSettings.read()):
        yield from starmap(Removed, remove_unused_files(retained, now, dry_run=dry_run))


def _removed_book(
    registry: Registry, book: ListedVersion, name: str, now: datetime, dry_run: bool
) -> Removed:
    """Remove a book. One that cannot be removed stops neither the others nor the data."""
    try:
        return Removed(name, remove_book(registry, book, now, dry_run=dry_run))
    except (PokeWatchError, OSError) as error:
        return Removed(name, 0, str(error))


def _guarded(name: str, rule: Callable[[], Iterator[Removed]]) -> Iterator[Removed]:
    try:
        yield from rule()
    except (PokeWatchError, OSError) as error:
        yield Removed(name, 0, str(error))
