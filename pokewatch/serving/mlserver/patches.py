"""What MLServer 1.7.1 lets through or answers with a 500 before a runtime sees the request, closed.

MLServer has no hook in front of its request handling. It does load the class named by `model_repository_implementation` in
settings.json before it builds its servers, so that class puts these guards in place, however the server is started:

- a body over POKEWATCH_MAX_BODY_BYTES, unpacked or not, is a 413 (MLServer reads and unpacks any size);
- a body that takes longer than POKEWATCH_MAX_BODY_SECONDS to arrive is a 408 (MLServer waits for ever);
- what FastAPI refuses is a V2 error object (MLServer leaves FastAPI's own shape);
- a gRPC tensor whose contents do not fit is INVALID_ARGUMENT (INTERNAL, or ignored);
- an unknown model's name makes no metric (each becomes a label);
- a request's id goes into no header (as CloudEvents' `Ce-Id` one with a line break or an accent cuts the connection);
- MLSERVER_HOST goes before the `host` of settings.json, which keeps to this machine (the file would win, and an image listen to nobody);
- what a web page may have sent is a 403 or 415 (MLServer asks no caller who it is): see `access`;
- loads wait for each other, and nothing is unloaded (each load takes a thread and a process of its own): see `loads`;
- a model that cannot be loaded at start is not ready and says why, 503 (MLServer ends): see `startup`;
- tensors in binary are a 415 (MLServer finds invalid JSON);
- our runtimes say no to `infer_stream` before it starts (it begins a 200, then finds the fault), and `infer` copies less: see `endpoints`.

MLServer is pinned exactly, and a test on a real server holds each of these.
"""

import asyncio
import os
import struct
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import mlserver.grpc.converters
import mlserver.grpc.servicers
import mlserver.grpc.utils
import mlserver.rest.app
import mlserver.server
from fastapi import FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from mlserver.errors import MLServerError, ModelNotFound
from mlserver.grpc.converters import ModelInferRequestConverter
from mlserver.handlers import DataPlane
from mlserver.middleware import InferenceMiddlewares
from mlserver.model import MLModel
from mlserver.registry import MultiModelRegistry
from mlserver.repository import SchemalessModelRepository
from mlserver.rest.requests import Request
from mlserver.rest.responses import Response
from mlserver.settings import Settings
from mlserver.types import InferenceRequest, MetadataModelResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp

from pokewatch.serving.mlserver import startup
from pokewatch.serving.mlserver.access_control import ProgramsOnly
from pokewatch.serving.mlserver.queued_loads import QueuedLoads
from pokewatch.serving.mlserver.rest_endpoints import DirectEndpoints, DirectRoute, TextContents
from pokewatch.serving.tensors import BadInputError
from pokewatch.settings import ServingSettings

_CONTENTS = {"FP64": "fp64_contents", "BYTES": "bytes_contents"}
_GZIP = 16 + zlib.MAX_WBITS


class GuardedModels(SchemalessModelRepository):  # type: ignore[misc]  # MLServer ships no types
    """MLServer's models folder, behind the guards."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        settings = ServingSettings.read()
        install(settings.max_body_bytes, settings.max_body_seconds, settings.mlserver_names)


def install(max_body_bytes: int, max_body_seconds: float, names: Sequence[str]) -> None:
    """Put the guards in front of every MLServer made in this process from now on."""

    class CappedRequest(Request):  # type: ignore[misc]
        async def body(self) -> bytes:
            if not hasattr(self, "_body"):
                body = await _read(self, max_body_bytes, max_body_seconds)
                self._body = (
                    _unpacked(body, max_body_bytes)
                    if "gzip" in self.headers.getlist("Content-Encoding")
                    else body
                )
            return self._body

    class GuardedApp(FastAPI):
        def build_middleware_stack(self) -> ASGIApp:
            return ProgramsOnly(super().build_middleware_stack(), names)

    mlserver.rest.app.FastAPI = GuardedApp
    mlserver.rest.app.Request = CappedRequest
    mlserver.rest.app.Endpoints = DirectEndpoints
    mlserver.rest.app.APIRoute = DirectRoute
    mlserver.rest.app._EXCEPTION_HANDLERS |= {
        RequestValidationError: _unprocessable,
        StarletteHTTPException: _refused,
    }
    mlserver.grpc.servicers.ModelInferRequestConverter = CheckedConverter
    mlserver.grpc.converters.InferTensorContentsConverter = TextContents
    mlserver.server.DataPlane = KnownModels
    mlserver.server.ModelRepositoryHandlers = QueuedLoads
    mlserver.server.MLServer.start = startup.start
    mlserver.grpc.utils.STATUS_CODE_MAPPING[503] = mlserver.grpc.utils.grpc.StatusCode.UNAVAILABLE


class CheckedConverter(ModelInferRequestConverter):  # type: ignore[misc]
    """From a gRPC request, whose contents must be of the declared type and as many as the shape says."""

    @classmethod
    def to_types(cls, pb_object: Any) -> InferenceRequest:
        _check_contents(pb_object)
        try:
            return super().to_types(pb_object)
        except (
            struct.error,
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            OverflowError,
            MemoryError,
        ) as error:
            raise BadInputError(
                f"the request's tensors or parameters cannot be read: {error}"
            ) from None


class KnownModels(DataPlane):  # type: ignore[misc]
    """Looks the model up before it is counted, and answers without CloudEvents headers. Made before the servers listen.

    `waiting` has the models that were not loaded when the server started, and why.
    """

    def __init__(self, settings: Settings, model_registry: MultiModelRegistry) -> None:
        settings.host = os.environ.get("MLSERVER_HOST") or settings.host
        super().__init__(settings, model_registry)
        self._inference_middleware = InferenceMiddlewares()
        self.waiting: dict[str, str] = {}

    async def find(self, name: str, version: str | None = None) -> MLModel:
        """Return a model that can be asked. Raise ModelNotFound, or MLServerError (503) with the reason why it is not ready."""
        try:
            model = await self._model_registry.get_model(name, version)
        except ModelNotFound:
            if name not in self.waiting:
                raise
            model = None
        if model is None or not model.ready:
            raise MLServerError(self.why(name), 503)
        return model

    def why(self, name: str) -> str:
        """Return why a model is not ready."""
        return f"{name} is not ready: {self.waiting.get(name, startup.LOADING)}"

    async def ready(self) -> bool:
        return all([await self.model_ready(name) for name in self.waiting]) and bool(
            await super().ready()
        )

    async def model_ready(self, name: str, version: str | None = None) -> bool:
        try:
            return bool(await super().model_ready(name, version))
        except ModelNotFound:
            if name not in self.waiting:
                raise
            return False

    async def model_metadata(self, name: str, version: str | None = None) -> MetadataModelResponse:
        await self.find(name, version)
        return await super().model_metadata(name, version)

    @asynccontextmanager
    async def _infer_contextmanager(
        self, name: str, version: str | None = None
    ) -> AsyncIterator[Any]:
        await self.find(name, version)
        async with super()._infer_contextmanager(name, version) as model:
            yield model


def _check_contents(request: Any) -> None:
    empty = 0
    for tensor in request.inputs:
        given = [field.name for field, _ in tensor.contents.ListFields()]
        empty += not given
        wanted = _CONTENTS.get(tensor.datatype)
        if given and wanted and given != [wanted]:
            raise BadInputError(
                f"input {tensor.name[:80]!r} has datatype {tensor.datatype} and {given[0]}, wanted {wanted}"
            )
    raw = len(request.raw_input_contents)
    if raw and raw != empty:
        raise BadInputError(
            f"the request has {raw} raw contents for {empty} inputs without contents of their own"
        )


async def _read(request: Request, most: int, seconds: float) -> bytes:
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise HTTPException(413, f"the request body is larger than {most} bytes")
                parts.append(part)
    except TimeoutError:
        raise HTTPException(408, f"the request body did not arrive within {seconds:g} s") from None
    return b"".join(parts)


def _unpacked(body: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        content = unpacker.decompress(body, most + 1)
    except zlib.error as error:
        raise HTTPException(400, f"the request body is not gzip: {error}") from None
    if len(content) > most:
        raise HTTPException(413, f"the request body is larger than {most} bytes once unpacked")
    if not unpacker.eof or unpacker.unused_data:
        raise HTTPException(400, "the request body is not one whole gzip stream")
    return content


async def _unprocessable(_: Request, error: RequestValidationError) -> Response:
    faults = (
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in error.errors()[:5]
    )
    return Response({"error": "; ".join(faults)}, 422)


async def _refused(request: Request, error: StarletteHTTPException) -> Response:
    waiting: dict[str, str] = request.app.state.waiting
    if (
        waiting and error.status_code == 404 and request.url.path.startswith("/catalog/")
    ):  # the route comes with the model
        reasons = (f"{name} is not ready: {reason}" for name, reason in waiting.items())
        return Response({"error": "; ".join(reasons)}, 503)
    return Response({"error": str(error.detail)}, error.status_code, headers=error.headers)
