"""MLServer's repository API, one load at a time."""

import asyncio

from mlserver.errors import MLServerError
from mlserver.handlers import ModelRepositoryHandlers
from mlserver.registry import MultiModelRegistry
from mlserver.repository import ModelRepository


class QueuedLoads(ModelRepositoryHandlers):  # type: ignore[misc]  # MLServer ships no types
    """Loads wait for each other, and those of one model that wait are one.

    Each load takes a thread and a process that imports MLflow: ten at once took all threads, which the catalogue
    answers from, and all processors. A load that has not begun will find whatever a later one would.
    """

    def __init__(self, repository: ModelRepository, model_registry: MultiModelRegistry) -> None:
        super().__init__(repository, model_registry)
        self._turn = asyncio.Lock()
        self._waiting: dict[str, asyncio.Task[bool]] = {}

    async def load(self, name: str) -> bool:
        load = self._waiting.get(name)
        if load is None:
            load = self._waiting[name] = asyncio.create_task(self._load_in_turn(name))
        # A caller that goes away does not end what others wait for.
        return await asyncio.shield(load)

    async def unload(self, name: str) -> bool:
        raise MLServerError(
            f"{name} is not unloaded while others may ask for it: end the server instead", 405
        )

    async def _load_in_turn(self, name: str) -> bool:
        async with self._turn:
            del self._waiting[name]
            return bool(await super().load(name))
