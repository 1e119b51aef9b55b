"""Editions: a verified price book and the versions its answers carry."""

import logging
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from mlserver.errors import MLServerError
from mlserver.settings import ModelSettings
from mlserver.types import Parameters
from mlserver.utils import to_absolute_path

from pokewatch.errors import BookError, SettingsError
from pokewatch.serving.champion import fetch_champion
from pokewatch.serving.measured import Measured, remembered
from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.book.copies import open_copy, remove

logger = logging.getLogger("pokewatch.serving")


@dataclass(frozen=True, slots=True)
class LoadedBook:
    """What a request holds on to from its first line to its last, whatever is loaded meanwhile.

    `measured` is what monitoring had measured when it was loaded.
    """

    book: PriceBook
    model_version: str
    data_version: str
    run_id: str
    measured: Measured | None = None

    def versions(self) -> dict[str, str]:
        """What every answer carries."""
        return {
            "model_version": self.model_version,
            "data_version": self.data_version,
            "run_id": self.run_id,
        }

    def parameters(self) -> Parameters:
        """The versions as parameters of a response: new ones each time, because MLServer adds headers to them."""
        return Parameters(**self.versions())


class LoadedBooks:
    """The editions that this process serves, one a model.

    MLServer makes a new runtime object at each load, and without worker processes it routes the custom endpoints to it before
    it is loaded; if the load fails they stay there. So what is served is kept beside the runtime objects, not in them.
    """

    def __init__(self) -> None:
        self._editions: dict[str, LoadedBook] = {}
        self._newest: dict[str, int] = {}
        self._begun = count()

    def begin(self) -> int:
        """Return a number for a load that begins now, larger than those of the loads before it."""
        return next(self._begun)

    def put(self, model: str, edition: LoadedBook, load: int) -> bool:
        """Serve the edition from now on, unless a load that began later has ended before. Return whether it is served."""
        if load < self._newest.get(model, load):
            return False
        self._editions[model], self._newest[model] = edition, load
        return True

    def edition(self, model: str) -> LoadedBook:
        """Return what a model serves. Raise MLServerError while there is nothing."""
        try:
            return self._editions[model]
        except KeyError:
            raise MLServerError(f"{model} is not ready: no price book is loaded yet", 503) from None

    def parameters(self, model: str) -> Parameters:
        """Return response parameters for an answer that needs no book, but is about prices of this model."""
        edition = self._editions.get(model)
        return edition.parameters() if edition else Parameters()


LOADED_BOOKS = LoadedBooks()


def shelf_name(settings: ModelSettings) -> str:
    """Return the name under which a model's edition is kept: of two versions of a model each has its own."""
    version = settings.parameters.version if settings.parameters else None
    return f"{settings.name}/{version}" if version else str(settings.name)


def open_book(settings: ModelSettings, seconds: float) -> LoadedBook:
    """The champion's edition or, where the model's settings have `parameters.extra.digest`, the book at `parameters.uri`.

    Fetching the champion may take `seconds`. Raises RegistryError, BookError or SettingsError saying why there is none.
    """
    parameters = settings.parameters
    extra = (parameters.extra if parameters else None) or {}
    if parameters is None or "digest" not in extra:
        return _champion(seconds)
    if not parameters.uri:
        raise SettingsError(
            f"{settings.name}: parameters.extra.digest is given without parameters.uri, the folder of the book"
        )
    book = PriceBook.open(Path(to_absolute_path(settings, parameters.uri)), str(extra["digest"]))
    version = str(extra.get("model_version") or book.digest[:12])
    return LoadedBook(book, version, book.facts.data_version, book.facts.run_id)


def _champion(seconds: float) -> LoadedBook:
    """The champion's edition. A copy of its book that is damaged is removed and fetched again, once."""
    champion = fetch_champion(seconds)
    try:
        book = open_copy(Path(champion.folder), champion.digest)
    except BookError as error:
        logger.warning("%s; it is fetched again", error)
        remove(Path(champion.folder))
        champion = fetch_champion(seconds)
        book = open_copy(Path(champion.folder), champion.digest)
    return LoadedBook(
        book,
        champion.version,
        champion.data_version,
        champion.run_id,
        remembered(champion.measured),
    )
