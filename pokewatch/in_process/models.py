"""The models of a folder, loaded and kept up to date in this process.

They are MLServer's model objects behind the data plane that its REST endpoints use, so requests are
checked and answered by the same code. No server of MLServer runs: there is no port, no gRPC and no
repository API. A new champion is therefore noticed by looking, every POLL_SECONDS.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlserver import MLModel, ModelSettings
from mlserver.registry import MultiModelRegistry
from mlserver.settings import Settings

from pokewatch.contract import market_of_model
from pokewatch.errors import PokeWatchError
from pokewatch.registry import Registry
from pokewatch.serving.champion import fetch_version
from pokewatch.serving.loaded_books import LOADED_BOOKS
from pokewatch.serving.mlserver.data_plane import LOADING, data_plane
from pokewatch.serving.mlserver.market_models import MarketModelRepository, serves_champion
from pokewatch.serving.mlserver.rest_endpoints import ColumnEndpoints
from pokewatch.serving.mlserver.startup import load_failure
from pokewatch.settings import RegistrySettings, ServingSettings

if TYPE_CHECKING:
    from pokewatch.tracing.tracer import Tracer

logger = logging.getLogger("pokewatch.serving")

POLL_SECONDS = 5.0
MAX_DELAY = 60.0
POLL_SERVER_SECONDS = 60.0  # a registry on a server is asked in a process of its own: 2 s of a CPU


class InProcessModels:
    """The models in `folder`. `run` loads them, and again for each new champion."""

    def __init__(self, folder: Path, tracer: "Tracer | None" = None) -> None:
        self._folder = folder
        self._registry = MultiModelRegistry()
        settings = Settings(debug=False, parallel_workers=0)
        self._data_plane = data_plane(tracer)(settings, self._registry)
        self.endpoints = ColumnEndpoints(self._data_plane)
        self._models: list[ModelSettings] = []

    async def find(self, name: str) -> MLModel:
        """Return a model that is ready. Raise MLServerError where it is not, or does not exist."""
        return await self._data_plane.find(name)

    def states(self) -> dict[str, str]:
        """Return the states of the models by name, as MLServer's index has them."""
        not_loaded = self._data_plane.not_loaded
        return {
            each.name: "UNAVAILABLE" if each.name in not_loaded else "READY"
            for each in self._models
        }

    async def run(self) -> None:
        """Load the models, and again for each new champion, until cancelled.

        What cannot be loaded is tried again, after twice the time at each failure, and new
        champions of the others are looked for as often. Markets that are new to a registry on this
        machine are added.
        """
        embedded = RegistrySettings.read().is_embedded()
        poll = POLL_SECONDS if embedded else POLL_SERVER_SECONDS
        delay = POLL_SECONDS / 2
        due = await self._list()
        while True:
            due = [each for each in due if not await self._load(each)]
            delay = min(2 * delay, MAX_DELAY) if due else poll
            await asyncio.sleep(delay)
            new = await self._list() if embedded else []
            due = [*(each for each in due if each in self._models), *new]
            due += await self._superseded(embedded, due)

    async def _list(self) -> list[ModelSettings]:
        """Add the models that are new, and return them.

        Those that are listed no more are dropped unless they serve: the unnamed model of an empty
        registry can never be loaded once its first markets have names.
        """
        listed = await MarketModelRepository(str(self._folder)).list()
        names, not_loaded = {each.name for each in listed}, self._data_plane.not_loaded
        self._models = [
            each for each in self._models if each.name in names or each.name not in not_loaded
        ]
        known = {each.name for each in self._models}
        new = [each for each in listed if each.name not in known]
        self._models += new
        not_loaded.update({each.name: LOADING for each in new})
        for name in set(not_loaded) - names:
            del not_loaded[name]
        return new

    async def _superseded(
        self, embedded: bool, due: Sequence[ModelSettings]
    ) -> list[ModelSettings]:
        """Return the models, but those in `due`, that serve another version than the champion."""
        found = []
        for settings in filter(serves_champion, self._models):
            if settings in due:
                continue
            served = LOADED_BOOKS.version(settings.name)
            market = market_of_model(settings.name)
            if served and served != await asyncio.to_thread(_champion, embedded, market, served):
                found.append(settings)
        return found

    async def _load(self, settings: ModelSettings) -> bool:
        """Load a model in place of the one that serves, which stays where that fails: logged."""
        not_loaded = self._data_plane.not_loaded
        try:
            await self._registry.load(settings)
        except Exception as error:
            reason = load_failure(settings.name, error)
            logger.error("%s is not loaded: %s", settings.name, reason)
            if settings.name in not_loaded:
                not_loaded[settings.name] = reason
            return False
        not_loaded.pop(settings.name, None)
        return True


def _champion(embedded: bool, market: str, served: str) -> str:
    """Return the version of a market's champion, `served` where it is not known."""
    try:
        if embedded:
            return Registry(RegistrySettings.read(market=market)).resolve().version
        return fetch_version(ServingSettings.read().load_timeout, market).version
    except PokeWatchError as error:
        logger.warning("the champion cannot be looked up: %s", error)
        return served
