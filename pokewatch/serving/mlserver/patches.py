"""The list of patches to MLServer 1.7.1, and their installation.

MLServer has no hook before its request handling. It does, however, load the class named by
`model_repository_implementation` in settings.json before it creates its servers, however it is
started; that class installs the patches.

| MLServer 1.7.1 | here | module |
| --- | --- | --- |
| reads and unpacks REST bodies of any size (#444) | 413 | request_bodies |
| waits for a REST body without a limit | 408 | request_bodies |
| returns FastAPI's error shape | a V2 error object | error_responses |
| parses each request value by value (#806, #854) | columns are parsed at once | rest_endpoints |
| parses binary tensors over REST as JSON (#324) | 415 | rest_endpoints |
| starts a stream with a 200 before the model refuses it | 405 | rest_endpoints |
| answers malformed gRPC contents with INTERNAL, or ignores them | INVALID_ARGUMENT | grpc_tensors |
| rejects text in BYTES outputs over gRPC | text is encoded | grpc_tensors |
| makes objects of gRPC values, copies outputs twice | columns, as bytes | grpc_endpoints |
| labels metrics with the names of unknown models | 404 before counting | data_plane |
| copies request ids into CloudEvents headers unescaped | no such headers | data_plane |
| lets settings.json override MLSERVER_HOST (#722) | the variable wins | data_plane |
| exits if a model cannot be loaded at start-up (#2056) | 503 with the reason, retries | startup |
| accepts requests from web pages; CORS (#386) stops no simple request | 403, 415 | access_control |
| runs any number of loads at once, and unloads models | one at a time; 405 | queued_loads |
| sends traces by gRPC, without the model's call | OTLP over HTTP, with it | traced_data_plane |

The numbers are issues of SeldonIO/MLServer; where there is none, no issue was found. MLServer is
pinned to the exact version, and tests against a real server cover each patch.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import mlserver.grpc.converters
import mlserver.grpc.servicers
import mlserver.grpc.utils
import mlserver.rest.app
import mlserver.server
from fastapi import FastAPI
from starlette.types import ASGIApp, Scope

from pokewatch.serving.mlserver import startup
from pokewatch.serving.mlserver.access_control import BrowserRequestFilter
from pokewatch.serving.mlserver.data_plane import data_plane
from pokewatch.serving.mlserver.error_responses import EXCEPTION_HANDLERS
from pokewatch.serving.mlserver.grpc_endpoints import ColumnGRPCServer
from pokewatch.serving.mlserver.grpc_tensors import (
    CheckedRequestConverter,
    ColumnResponseConverter,
    TextContentsConverter,
)
from pokewatch.serving.mlserver.market_models import MarketModelRepository
from pokewatch.serving.mlserver.queued_loads import QueuedLoads
from pokewatch.serving.mlserver.request_bodies import limited_request
from pokewatch.serving.mlserver.rest_endpoints import ColumnEndpoints, ColumnRoute
from pokewatch.settings import ServingSettings
from pokewatch.tracing import open_tracer

if TYPE_CHECKING:
    from pokewatch.tracing.tracer import Tracer


class PatchedModelRepository(MarketModelRepository):
    """MLServer's models folder. Installs the patches when it is created."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        settings = ServingSettings.read()
        tracer = open_tracer("pokewatch-mlserver")
        install(settings.max_body_bytes, settings.max_body_seconds, settings.mlserver_names, tracer)


def install(
    max_body_bytes: int,
    max_body_seconds: float,
    hosts: Sequence[str],
    tracer: "Tracer | None" = None,
) -> None:
    """Patch every MLServer created in this process from now on."""

    class FilteredApp(FastAPI):
        def build_middleware_stack(self) -> ASGIApp:
            stack = BrowserRequestFilter(super().build_middleware_stack(), hosts)
            return stack if tracer is None else _traced(stack, tracer)

    mlserver.rest.app.FastAPI = FilteredApp
    mlserver.rest.app.Request = limited_request(max_body_bytes, max_body_seconds)
    mlserver.rest.app.Endpoints = ColumnEndpoints
    mlserver.rest.app.APIRoute = ColumnRoute
    mlserver.rest.app._EXCEPTION_HANDLERS |= EXCEPTION_HANDLERS
    mlserver.grpc.servicers.ModelInferRequestConverter = CheckedRequestConverter
    mlserver.grpc.servicers.ModelInferResponseConverter = ColumnResponseConverter
    mlserver.grpc.converters.InferTensorContentsConverter = TextContentsConverter
    mlserver.server.GRPCServer = ColumnGRPCServer
    mlserver.server.DataPlane = data_plane(tracer)
    mlserver.server.ModelRepositoryHandlers = QueuedLoads
    mlserver.server.MLServer.start = startup.start
    mlserver.grpc.utils.STATUS_CODE_MAPPING[503] = mlserver.grpc.utils.grpc.StatusCode.UNAVAILABLE


def _traced(app: ASGIApp, tracer: "Tracer") -> ASGIApp:
    """Return `app`, whose requests in a trace are spans of it; polls are in none."""
    from pokewatch.tracing.asgi import TracedApp

    return TracedApp(app, tracer, _route, lambda _: False)


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "other")
