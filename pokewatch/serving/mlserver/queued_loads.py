"""MLServer's repository API, limited to one load at a time."""

import asyncio

from mlserver.errors import MLServerError
from mlserver.handlers import ModelRepositoryHandlers
from mlserver.registry import MultiModelRegistry

from pokewatch.serving.mlserver.market_models import MarketModelRepository


class QueuedLoads(ModelRepositoryHandlers):  # type: ignore[misc]  # MLServer ships no types
    """Runs loads one after another, and merges those of one model that are waiting.

    Each load occupies a thread and a subprocess that imports MLflow. Ten concurrent loads exhausted
    the thread pool, which the catalogue uses too, and all CPUs. Merging is safe: a load that has
    not started reads the same state of the registry as any later one.
    """

    def __init__(
        self, repository: MarketModelRepository, model_registry: MultiModelRegistry
    ) -> None:
        super().__init__(repository, model_registry)
        self._lock = asyncio.Lock()
        self._pending: dict[str, asyncio.Task[bool]] = {}

    async def load(self, name: str) -> bool:
        load = self._pending.get(name)
        if load is None:
            load = self._pending[name] = asyncio.create_task(self._load_in_turn(name))
        # A caller that disconnects must not cancel a load that others wait for.
        return await asyncio.shield(load)

    async def unload(self, name: str) -> bool:
        raise MLServerError(
            f"{name} cannot be unloaded while clients may use it; stop the server instead", 405
        )

    async def _load_in_turn(self, name: str) -> bool:
        async with self._lock:
            del self._pending[name]
            loaded = bool(await super().load(name))
            self._repository.loaded(name)
            return loaded
