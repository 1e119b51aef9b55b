"""Editions: a verified price book and the versions its answers carry."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from mlserver.errors import MLServerError
from mlserver.settings import ModelSettings
from mlserver.types import Parameters
from mlserver.utils import to_absolute_path

from pokewatch.errors import BookError, SettingsError
from pokewatch.serving.champion import fetch_champion
from pokewatch.serving.measured import Measured, remembered
from pokewatch.valuation.book import PriceBook


@dataclass(frozen=True, slots=True)
class Edition:
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
        return {"model_version": self.model_version, "data_version": self.data_version, "run_id": self.run_id}

    def parameters(self) -> Parameters:
        """The versions as parameters of a response: new ones each time, because MLServer adds headers to them."""
        return Parameters(**self.versions())


class Shelf:
    """The edition that this process serves.

    MLServer makes a new runtime object at each load, and without worker processes it routes the custom endpoints to it before
    it is loaded; if the load fails they stay there. So what is served is kept beside the runtime objects, not in them.
    """

    def __init__(self) -> None:
        self.current: Edition | None = None

    def edition(self) -> Edition:
        """Raises MLServerError while there is none."""
        if self.current is None:
            raise MLServerError("no price book is loaded yet", 503)
        return self.current

    def parameters(self) -> Parameters:
        """Response parameters for an answer that needs no book."""
        return self.current.parameters() if self.current else Parameters()


SHELF = Shelf()


def open_edition(settings: ModelSettings, seconds: float) -> Edition:
    """The champion's edition or, where the model's settings have `parameters.extra.digest`, the book at `parameters.uri`.

    Fetching the champion may take `seconds`. Raises RegistryError, BookError or SettingsError saying why there is none.
    """
    parameters = settings.parameters
    extra = (parameters.extra if parameters else None) or {}
    if parameters is None or "digest" not in extra:
        return _champion(seconds)
    if not parameters.uri:
        raise SettingsError(f"{settings.name}: parameters.extra.digest is given without parameters.uri, the folder of the book")
    book = PriceBook.open(Path(to_absolute_path(settings, parameters.uri)), str(extra["digest"]))
    version = str(extra.get("model_version") or book.digest[:12])
    return Edition(book, version, book.facts.data_version, book.facts.run_id)


def _champion(seconds: float) -> Edition:
    champion = fetch_champion(seconds)
    folder = Path(champion.folder)
    try:
        book = PriceBook.open(folder, champion.digest)
    except BookError:
        # A copy that does not verify is of no use: without it the next load fetches a new one.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Edition(book, champion.version, champion.data_version, champion.run_id, remembered(champion.measured))
