"""The price books that this process serves."""

import logging
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from threading import Lock

from mlserver.errors import MLServerError
from mlserver.settings import ModelSettings
from mlserver.types import Parameters
from mlserver.utils import to_absolute_path

from pokewatch.collection.matching import Matcher
from pokewatch.contract import is_challenger, market_of_challenger, market_of_model
from pokewatch.errors import BookError, SettingsError
from pokewatch.registry import CANARY, CHAMPION
from pokewatch.serving.canaries import CanaryPlan
from pokewatch.serving.champion import FetchedVersion, fetch_version
from pokewatch.serving.monitoring_figures import MonitoringFigures, parse_registered
from pokewatch.serving.record_reader import RecordReader, restore_in_background
from pokewatch.serving.record_store import record_folder
from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.book.copies import open_copy, remove

logger = logging.getLogger("pokewatch.serving")


@dataclass(frozen=True)
class LoadedBook:
    """A verified book and its versions. A request uses one from start to end, whatever is loaded.

    `record` is the track record of its market, and `monitoring` holds the figures known at load
    time. `canary` is the plan of the traffic of a challenger.
    """

    book: PriceBook
    model_version: str
    data_version: str
    run_id: str
    record: RecordReader
    monitoring: MonitoringFigures | None = None
    canary: CanaryPlan | None = None
    _matcher_lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def matcher(self) -> Matcher:
        """Return the matcher of collections.

        It is made by the first request that needs it, in about a second for 50,000 cards; others
        wait for it.
        """
        with self._matcher_lock:
            return self._matcher

    @cached_property
    def _matcher(self) -> Matcher:
        return Matcher(self.book)

    @cached_property
    def games(self) -> list[str]:
        """The games of its cards, the one with most cards first."""
        counts = self.book.cards.column("game").value_counts().to_pylist()
        counts.sort(key=lambda each: -each["counts"])
        return [each["values"] for each in counts if each["values"]]

    def versions(self) -> dict[str, str]:
        """Return the market, the versions and the currency that every response carries."""
        return {
            "market": self.book.facts.market,
            "model_version": self.model_version,
            "data_version": self.data_version,
            "run_id": self.run_id,
            "currency": self.book.facts.currency,
        }

    def parameters(self) -> Parameters:
        """Return them as new response parameters; MLServer adds headers to those."""
        return Parameters(**self.versions())


class LoadedBooks:
    """The book served for each model.

    MLServer creates a new runtime object for every load. Without worker processes it routes the
    custom endpoints to that object before it is loaded, and leaves them there if the load fails. So
    the books are held here rather than in the runtime objects.
    """

    def __init__(self) -> None:
        self._books: dict[str, LoadedBook] = {}
        self._load_numbers: dict[str, int] = {}
        self._counter = count()

    def begin_load(self) -> int:
        """Return the number of a load that starts now, larger than those of all earlier loads."""
        return next(self._counter)

    def put(self, key: str, loaded: LoadedBook, load: int) -> bool:
        """Serve a book, unless a load that started later has already finished.

        Return whether it is served.
        """
        if load < self._load_numbers.get(key, load):
            return False
        self._books[key], self._load_numbers[key] = loaded, load
        return True

    def get(self, key: str) -> LoadedBook:
        """Return the book served for a model. Raise MLServerError (503) if there is none yet."""
        try:
            return self._books[key]
        except KeyError:
            raise MLServerError(f"{key} is not ready: no price book is loaded yet", 503) from None

    def currency(self, key: str) -> str:
        """Return the currency of a model's book, "" if none is loaded."""
        loaded = self._books.get(key)
        return loaded.book.facts.currency if loaded else ""

    def version(self, key: str) -> str:
        """Return the model version of a model's book, "" if none is loaded."""
        loaded = self._books.get(key)
        return loaded.model_version if loaded else ""

    def parameters(self, key: str) -> Parameters:
        """Return the response parameters of a model's book, empty if none is loaded."""
        loaded = self._books.get(key)
        return loaded.parameters() if loaded else Parameters()


LOADED_BOOKS = LoadedBooks()


def book_key(settings: ModelSettings) -> str:
    """Return the key of a model's book: its name, followed by its version if it has one."""
    version = settings.parameters.version if settings.parameters else None
    return f"{settings.name}/{version}" if version else str(settings.name)


def load_book(settings: ModelSettings, seconds: float) -> LoadedBook:
    """Return the champion's book, or the one at `parameters.uri` if the settings name its digest.

    That of a challenger is the canary's. Fetching it may take up to `seconds`. Raise RegistryError,
    BookError or SettingsError.
    """
    parameters = settings.parameters
    extra = (parameters.extra if parameters else None) or {}
    if parameters is None or "digest" not in extra:
        if is_challenger(settings.name):
            return _load_canary(seconds, market_of_challenger(settings.name))
        return _load_champion(seconds, market_of_model(settings.name))
    if not parameters.uri:
        raise SettingsError(
            f"{settings.name}: parameters.extra.digest is set without parameters.uri, "
            "the folder of the book"
        )
    book = PriceBook.open(Path(to_absolute_path(settings, parameters.uri)), str(extra["digest"]))
    version = str(extra.get("model_version") or book.digest[:12])
    return LoadedBook(
        book,
        version,
        book.facts.data_version,
        book.facts.run_id,
        _record_of(book),
        canary=CanaryPlan.parse(extra["canary"]) if "canary" in extra else None,
    )


def _load_champion(seconds: float, market: str) -> LoadedBook:
    champion, book = _fetch(seconds, market, CHAMPION)
    restore_in_background(book.facts, market)
    return LoadedBook(
        book,
        champion.version,
        champion.data_version,
        champion.run_id,
        _record_of(book),
        parse_registered(champion.state),
    )


def _load_canary(seconds: float, market: str) -> LoadedBook:
    found, book = _fetch(seconds, market, CANARY)
    plan = CanaryPlan.from_state(found.state)
    versions = found.version, found.data_version, found.run_id
    return LoadedBook(book, *versions, _record_of(book), canary=plan)


def _fetch(seconds: float, market: str, alias: str) -> tuple[FetchedVersion, PriceBook]:
    """Return a version and its book. A damaged copy is removed and fetched again, once."""
    found = fetch_version(seconds, market, alias)
    try:
        return found, open_copy(Path(found.folder), found.digest)
    except BookError as error:
        logger.warning("%s; fetching it again", error)
        remove(Path(found.folder))
        found = fetch_version(seconds, market, alias)
        return found, open_copy(Path(found.folder), found.digest)


def _record_of(book: PriceBook) -> RecordReader:
    return RecordReader(record_folder(book.facts.market))
