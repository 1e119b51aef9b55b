"""The models of a folder, loaded and kept up to date in this process.

They are MLServer's model objects behind the data plane that its REST endpoints use, so requests are
checked and answered by the same code. No server of MLServer runs: there is no port, no gRPC and no
repository API. A new champion is therefore noticed by looking, every POLL_SECONDS.
"""

import asyncio
import logging
from pathlib import Path

from mlserver import MLModel, ModelSettings
from mlserver.registry import MultiModelRegistry
from mlserver.repository import SchemalessModelRepository
from mlserver.settings import Settings

from pokewatch.errors import PokeWatchError
from pokewatch.registry import Registry
from pokewatch.serving.champion import fetch_champion
from pokewatch.serving.mlserver.data_plane import LOADING, CheckedDataPlane
from pokewatch.serving.mlserver.rest_endpoints import ColumnEndpoints
from pokewatch.settings import RegistrySettings, ServingSettings

logger = logging.getLogger("pokewatch.serving")

POLL_SECONDS = 5.0
POLL_SERVER_SECONDS = 60.0  # a registry on a server is asked in a process of its own: 2 s of a CPU


class InProcessModels:
    """The models in `folder`. `run` loads them, and again for each new champion."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._registry = MultiModelRegistry()
        settings = Settings(debug=False, parallel_workers=0)
        self._data_plane = CheckedDataPlane(settings, self._registry)
        self.endpoints = ColumnEndpoints(self._data_plane)

    async def find(self, name: str) -> MLModel:
        """Return a model that is ready. Raise MLServerError where it is not, or does not exist."""
        return await self._data_plane.find(name)

    async def run(self) -> None:
        """Load the models, and again for each new champion, until cancelled."""
        models = await SchemalessModelRepository(str(self._folder)).list()
        not_loaded = self._data_plane.not_loaded
        not_loaded.update({each.name: LOADING for each in models})
        embedded = RegistrySettings.read().is_embedded()
        champion = ""
        while True:
            newest = await asyncio.to_thread(_champion, embedded) or champion
            for settings in models:
                if settings.name in not_loaded or newest != champion:
                    await self._load(settings)
            champion = newest
            await asyncio.sleep(POLL_SECONDS if embedded or not_loaded else POLL_SERVER_SECONDS)

    async def _load(self, settings: ModelSettings) -> None:
        """Load a model in place of the one that serves, which stays where that fails: logged."""
        try:
            await self._registry.load(settings)
        except Exception as error:
            reason = " ".join(str(error).split()).removeprefix(
                f"{settings.name} cannot be loaded: "
            )
            logger.error("%s is not loaded: %s", settings.name, reason)
            if settings.name in self._data_plane.not_loaded:
                self._data_plane.not_loaded[settings.name] = reason
        else:
            self._data_plane.not_loaded.pop(settings.name, None)


def _champion(embedded: bool) -> str:
    """Return the version of the champion, "" where it is not known."""
    try:
        if embedded:
            return Registry().resolve().version
        return fetch_champion(ServingSettings.read().load_timeout).version
    except PokeWatchError as error:
        logger.warning("the champion cannot be looked up: %s", error)
        return ""
