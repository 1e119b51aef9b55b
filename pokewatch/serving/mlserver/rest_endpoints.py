"""REST endpoints for the runtimes of PokeWatch; other models use MLServer's own.

MLServer's endpoints have FastAPI parse requests and serialize responses value by value in Python,
and inspect the endpoint's parameters on every call (SeldonIO/MLServer#806, #854). A TensorRuntime
works on columns, so here pydantic parses the body once, and output columns are serialized as they
are. Both paths lead to the same data plane.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import mlserver.rest.app
import orjson
from fastapi import Response as EmptyResponse
from mlserver.errors import MLServerError
from mlserver.rest.app import APIRoute
from mlserver.rest.endpoints import Endpoints
from mlserver.rest.requests import Request
from mlserver.rest.responses import Response
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput
from mlserver.utils import extract_headers, insert_headers
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.requests import HTTPConnection

from pokewatch.contract import MAX_BATCH_ROWS
from pokewatch.serving.validation import validation_message

_BINARY_HEADER = "inference-header-content-length"
_BINARY_REFUSED = (
    "tensors over REST must be JSON (binary_data=False in tritonclient); "
    "use gRPC for binary tensors"
)

Parsed = TypeVar("Parsed")

logger = logging.getLogger("pokewatch.serving")


class ColumnBody(Response):  # type: ignore[misc]  # MLServer ships no types
    """A response in JSON, in which a column of numbers may be an array; NaN is null."""

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


class _ModelRequest(BaseModel):
    """A request to one of several models."""

    model: str
    request: InferenceRequest


_several = TypeAdapter(Annotated[list[_ModelRequest], Field(max_length=MAX_BATCH_ROWS)])


class ColumnEndpoints(Endpoints):  # type: ignore[misc]  # MLServer ships no types
    """Adds endpoints for TensorRuntimes, and reasons to the readiness endpoints."""

    async def is_tensor_runtime(self, model_name: str, model_version: str | None = None) -> bool:
        return bool(await self._data_plane.is_tensor_runtime(model_name, model_version))

    async def ready(self) -> EmptyResponse:
        if await self._data_plane.ready():
            return EmptyResponse()
        reasons = [self._data_plane.not_ready_reason(name) for name in self._data_plane.not_loaded]
        return _not_ready("; ".join(reasons) or "a model is not ready")

    async def model_ready(self, model_name: str, model_version: str | None = None) -> EmptyResponse:
        if await self._data_plane.model_ready(model_name, model_version):
            return EmptyResponse()
        return _not_ready(self._data_plane.not_ready_reason(model_name))

    async def infer_columns(
        self, raw_request: Request, model_name: str, model_version: str | None = None
    ) -> Response:
        body = await raw_request.body()
        return await self.infer_body(body, headers_of(raw_request), model_name, model_version)

    async def infer_body(
        self, body: bytes, headers: dict[str, str], model_name: str, model_version: str | None
    ) -> Response:
        """Return the response to a request, in which header names are in lower case."""
        payload = _parsed(InferenceRequest.model_validate_json, body)
        content, returned = await self._infer(payload, headers, model_name, model_version)
        return ColumnBody(content, headers=returned)

    async def infer_several(self, body: bytes, headers: dict[str, str]) -> Response:
        """Return the responses to requests to several models, each with a status of its own.

        They are made in turn: in a process of all models, tasks would only add to the time. Header
        names are in lower case.
        """
        requests = _parsed(_several.validate_json, body)
        return ColumnBody([await self._part(each, headers) for each in requests])

    async def _part(self, part: _ModelRequest, headers: dict[str, str]) -> dict[str, Any]:
        """Return the status and the body that the request would have alone."""
        try:
            if not await self.is_tensor_runtime(part.model):
                raise MLServerError(f"{part.model} takes no requests with those of others", 405)
            content, _ = await self._infer(part.request, headers, part.model)
        except MLServerError as error:
            return {"status": error.status_code, "body": {"error": str(error)}}
        except Exception:
            logger.exception("unexpected error of %s", part.model)
            return {"status": 500, "body": {"error": "Internal Server Error"}}
        return {"status": 200, "body": content}

    async def _infer(
        self,
        payload: InferenceRequest,
        headers: dict[str, str],
        model_name: str,
        model_version: str | None = None,
    ) -> tuple[dict[str, Any], dict[str, str] | None]:
        """Return the content of the response, and its headers."""
        insert_headers(payload, headers)
        response = await self._data_plane.infer(payload, model_name, model_version)
        returned = extract_headers(response)
        return _content(response), returned

    async def infer_columns_stream(
        self, raw_request: Request, model_name: str, model_version: str | None = None
    ) -> Response:
        raise MLServerError(f"{model_name} does not stream; use /v2/models/{model_name}/infer", 405)


def headers_of(request: HTTPConnection) -> dict[str, str]:
    """Return the headers by name, the first of several of a name.

    `dict(request.headers)` would search all headers for each of them.
    """
    lines = reversed(request.scope["headers"])
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in lines}


def _not_ready(reason: str) -> EmptyResponse:
    response: EmptyResponse = Response({"error": reason}, 503)
    return response


class ColumnRoute(APIRoute):  # type: ignore[misc]
    """MLServer's route, which sends requests for TensorRuntimes to the column endpoints."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:
        default: Callable[[Request], Awaitable[Response]] = super().get_route_handler()
        endpoints = getattr(self.endpoint, "__self__", None)
        if not isinstance(endpoints, ColumnEndpoints):
            return default
        if self.endpoint.__name__ == "infer":
            columns = endpoints.infer_columns
        elif self.endpoint.__name__ == "infer_stream":
            columns = endpoints.infer_columns_stream
        else:
            return default

        async def handle(request: Request) -> Response:
            if _BINARY_HEADER in request.headers:
                raise MLServerError(_BINARY_REFUSED, 415)
            if not await endpoints.is_tensor_runtime(**request.path_params):
                return await default(request)
            return await columns(
                mlserver.rest.app.Request(request.scope, request.receive), **request.path_params
            )

        return handle


def _parsed(parse: Callable[[bytes], Parsed], body: bytes) -> Parsed:
    """Return the content of a body. Raise MLServerError (422)."""
    try:
        return parse(body)
    except ValidationError as error:
        message = validation_message([dict(each) for each in error.errors()])
        raise MLServerError(message, 422) from None


def _content(response: InferenceResponse) -> dict[str, Any]:
    content: dict[str, Any] = {
        "model_name": response.model_name,
        "id": response.id,
        "outputs": [_output(output) for output in response.outputs],
    }
    if response.model_version is not None:
        content["model_version"] = response.model_version
    if response.parameters is not None:
        content["parameters"] = response.parameters.model_dump()
    return content


def _output(output: ResponseOutput) -> dict[str, Any]:
    content = {
        "name": output.name,
        "shape": output.shape,
        "datatype": output.datatype,
        "data": output.data.root,
    }
    if output.parameters is not None:
        content["parameters"] = output.parameters.model_dump()
    return content
