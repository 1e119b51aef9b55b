"""Start-up without a price book: MLServer stays live but not ready until a load succeeds.

MLServer 1.7.1 exits with code 0 if a model cannot be loaded at start-up, after a moment in which it
reports itself ready (SeldonIO/MLServer#2056). Here the failure is logged, returned as the reason
why the model is not ready, and the load is retried: the registry may have been unreachable, or no
model deployed yet.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import mlserver.rest.app
from mlserver import ModelSettings
from mlserver.server import MLServer
from mlserver.types import RepositoryIndexRequest, State
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pokewatch.contract import (
    FAIR_PRICE,
    INFERENCES_PATH,
    MARKETS_PATH,
    challenger_model,
    is_challenger,
    market_of_model,
)
from pokewatch.serving.champion import has_canary
from pokewatch.serving.mlserver.data_plane import LOADING
from pokewatch.serving.mlserver.market_models import serves_champion
from pokewatch.serving.mlserver.rest_endpoints import ColumnEndpoints, headers_of
from pokewatch.settings import ServingSettings, unknown_names

logger = logging.getLogger("pokewatch.serving")

_FIRST_DELAY = 5.0
_MAX_DELAY = 60.0

_serve = MLServer.start


async def start(server: MLServer, models_settings: Sequence[ModelSettings] = ()) -> None:
    """Run the servers until they are stopped, and load the models in the background."""
    if workers := server._settings.parallel_workers:
        logger.warning(
            "parallel_workers is %d: the gauges of the served book are exported only with 0",
            workers,
        )
    for text in unknown_names():
        logger.warning("%s", text)
    not_loaded: dict[str, str] = server._data_plane.not_loaded
    server._rest_server._app.state.not_loaded = not_loaded
    not_loaded.update({settings.name: LOADING for settings in models_settings})
    app = server._rest_server._app
    app.add_route(MARKETS_PATH, _markets_endpoint(server), ["GET"])
    app.add_route(INFERENCES_PATH, _inferences_endpoint(server), ["POST"])
    loads = [
        asyncio.create_task(_load_with_challenger(server, settings, not_loaded))
        for settings in models_settings
    ]
    try:
        await _serve(server, [])
    finally:
        for load in loads:
            load.cancel()
        await asyncio.gather(*loads, return_exceptions=True)


def _markets_endpoint(server: Any) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that lists the models of markets, and whether they are ready.

    Its status is 503 while none is, and while the first load of one is running. A market that
    cannot be loaded does not keep a server of several from being ready.
    """

    async def markets(_: Request) -> Response:
        index = await server._model_repository_handlers.index(RepositoryIndexRequest())
        ready = {
            each.name: each.state == State.READY
            for each in index.root
            if each.name == FAIR_PRICE or market_of_model(each.name)
        }
        loading = LOADING in server._data_plane.not_loaded.values()
        found = [{"model": name, "ready": ready[name]} for name in sorted(ready)]
        status = 200 if any(ready.values()) and not loading else 503
        return JSONResponse({"markets": found}, status)

    return markets


def _inferences_endpoint(server: Any) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of requests to several models."""
    endpoints = ColumnEndpoints(server._data_plane)

    async def inferences(request: Request) -> Response:
        limited = mlserver.rest.app.Request(request.scope, request.receive)
        found: Response = await endpoints.infer_several(await limited.body(), headers_of(request))
        return found

    return inferences


async def _load_with_challenger(
    server: Any, settings: ModelSettings, not_loaded: dict[str, str]
) -> None:
    """Load a model, and beside a champion the challenger that a running deploy gives traffic."""
    await _load(server, settings, not_loaded)
    if is_challenger(settings.name) or not serves_champion(settings):
        return
    market, seconds = market_of_model(settings.name), ServingSettings.read().load_timeout
    if not await asyncio.to_thread(has_canary, seconds, market):
        return
    try:
        await server._model_repository_handlers.load(challenger_model(market))
    except Exception as error:
        logger.warning("%s", error)


async def _load(server: Any, settings: ModelSettings, not_loaded: dict[str, str]) -> None:
    name, delay = settings.name, _FIRST_DELAY
    try:
        await server._model_registry.load(settings)
    except Exception as error:
        not_loaded[name] = load_failure(name, error)
    else:
        del not_loaded[name]
        return
    while not await _is_ready(server, name):
        logger.error("%s is not ready: %s; retrying in %g s", name, not_loaded[name], delay)
        await asyncio.sleep(delay)
        delay = min(2 * delay, _MAX_DELAY)
        if await _is_ready(server, name):  # loaded over the API in the meantime
            break
        if name == FAIR_PRICE:
            named = await server._model_repository.replace_unnamed()
            if named is not None:
                del not_loaded[name]
                not_loaded.update({each.name: LOADING for each in named})
                await asyncio.gather(
                    *(_load_with_challenger(server, each, not_loaded) for each in named)
                )
                return
        try:
            await server._model_repository_handlers.load(name)
        except Exception as error:
            not_loaded[name] = load_failure(name, error)
    del not_loaded[name]


async def _is_ready(server: Any, name: str) -> bool:
    return bool(await server._data_plane.model_ready(name))


def load_failure(name: str, error: Exception) -> str:
    """Return the error in one line, without the class name that worker processes prepend."""
    text = (
        str(error)
        .removeprefix("mlserver.errors.MLServerError: ")
        .removeprefix(f"{name} cannot be loaded: ")
    )
    return " ".join(text.split()) or type(error).__name__
