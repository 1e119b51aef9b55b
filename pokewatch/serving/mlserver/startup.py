"""Starting without a price book: MLServer stays up, live and not ready, and serves once a load succeeds.

MLServer 1.7.1 ends, with code 0, when a model cannot be loaded at start. Here the failure is logged and kept as
the reason why the model is not ready, and the load is tried again: the registry may have been out of reach, or the
first model not yet deployed.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from mlserver import ModelSettings
from mlserver.server import MLServer

logger = logging.getLogger("pokewatch.serving")

LOADING = "it is being loaded"
_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 60.0

_serve = MLServer.start


async def start(server: MLServer, models_settings: Sequence[ModelSettings] = ()) -> None:
    """Run the servers until they are stopped, and load the models, however long that takes."""
    waiting: dict[str, str] = server._data_plane.waiting
    server._rest_server._app.state.waiting = waiting
    waiting.update({settings.name: LOADING for settings in models_settings})
    loads = [asyncio.create_task(_load(server, settings, waiting)) for settings in models_settings]
    try:
        await _serve(server, [])
    finally:
        for load in loads:
            load.cancel()
        await asyncio.gather(*loads, return_exceptions=True)


async def _load(server: Any, settings: ModelSettings, waiting: dict[str, str]) -> None:
    name, pause = settings.name, _FIRST_PAUSE
    try:
        await server._model_registry.load(settings)
    except Exception as error:
        waiting[name] = _reason(name, error)
    else:
        del waiting[name]
        return
    while not await _is_ready(server, name):
        logger.error("%s is not ready: %s; trying again in %g s", name, waiting[name], pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
        if await _is_ready(server, name):  # somebody asked for a load meanwhile
            break
        try:
            await server._model_repository_handlers.load(name)
        except Exception as error:
            waiting[name] = _reason(name, error)
    del waiting[name]


async def _is_ready(server: Any, name: str) -> bool:
    return bool(await server._data_plane.model_ready(name))


def _reason(name: str, error: Exception) -> str:
    """The error in one line. From a worker process it comes with the name of its class before it."""
    text = (
        str(error)
        .removeprefix("mlserver.errors.MLServerError: ")
        .removeprefix(f"{name} cannot be loaded: ")
    )
    return " ".join(text.split()) or type(error).__name__
