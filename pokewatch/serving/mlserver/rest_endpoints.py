"""REST endpoints for our own runtimes, without the copies; every other model is answered by MLServer's.

MLServer's endpoints have FastAPI take a body apart and put an answer together value by value, through Python, and look an
endpoint's parameters up at every call. A runtime that deals in columns needs none of it: here a body goes through pydantic
once, and the columns of an answer straight into JSON. Both end in the same data plane, which counts and names requests.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import mlserver.rest.app
from fastapi import Response as NoContent
from mlserver.errors import MLServerError
from mlserver.grpc.converters import InferTensorContentsConverter
from mlserver.rest.app import APIRoute
from mlserver.rest.endpoints import Endpoints
from mlserver.rest.requests import Request
from mlserver.rest.responses import Response
from mlserver.types import Datatype, InferenceRequest, InferenceResponse, ResponseOutput, TensorData
from mlserver.utils import extract_headers, insert_headers
from pydantic import ValidationError

from pokewatch.serving.runtime import TensorRuntime

_BINARY = "inference-header-content-length"
_NOT_BINARY = (
    "tensors must be JSON over REST; clients call it binary_data=False. gRPC takes them in binary"
)


class DirectEndpoints(Endpoints):  # type: ignore[misc]  # MLServer ships no types
    """Also answers whole requests to a TensorRuntime, which answers no streams and says so before one begins."""

    async def hosts_columns(self, model_name: str, model_version: str | None = None) -> bool:
        """Whether the model is a TensorRuntime, in this process or in workers. Raises ModelNotFound, MLServerError if it is not ready."""
        model = await self._data_plane.find(model_name, model_version)
        return isinstance(getattr(model, "_model", model), TensorRuntime)

    async def ready(self) -> NoContent:
        if await self._data_plane.ready():
            return NoContent()
        reasons = [self._data_plane.why(name) for name in self._data_plane.waiting]
        return _unready("; ".join(reasons) or "a model is not ready")

    async def model_ready(self, model_name: str, model_version: str | None = None) -> NoContent:
        if await self._data_plane.model_ready(model_name, model_version):
            return NoContent()
        return _unready(self._data_plane.why(model_name))

    async def infer_columns(
        self, raw_request: Request, model_name: str, model_version: str | None = None
    ) -> Response:
        payload = _parsed(await raw_request.body())
        insert_headers(payload, dict(raw_request.headers))
        answer = await self._data_plane.infer(payload, model_name, model_version)
        headers = extract_headers(answer)
        return Response(_content(answer), headers=headers)

    async def infer_columns_stream(
        self, raw_request: Request, model_name: str, model_version: str | None = None
    ) -> Response:
        raise MLServerError(f"{model_name} does not stream; ask /v2/models/{model_name}/infer", 405)


def _unready(reason: str) -> NoContent:
    answer: NoContent = Response({"error": reason}, 503)
    return answer


class DirectRoute(APIRoute):  # type: ignore[misc]
    """MLServer's route, but that a TensorRuntime is asked by DirectEndpoints."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:
        usual: Callable[[Request], Awaitable[Response]] = super().get_route_handler()
        endpoints = getattr(self.endpoint, "__self__", None)
        if not isinstance(endpoints, DirectEndpoints) or self.endpoint.__name__ not in (
            "infer",
            "infer_stream",
        ):
            return usual
        direct = (
            endpoints.infer_columns
            if self.endpoint.__name__ == "infer"
            else endpoints.infer_columns_stream
        )

        async def handle(request: Request) -> Response:
            if _BINARY in request.headers:
                raise MLServerError(_NOT_BINARY, 415)
            if not await endpoints.hosts_columns(**request.path_params):
                return await usual(request)
            return await direct(
                mlserver.rest.app.Request(request.scope, request.receive), **request.path_params
            )

        return handle


class TextContents(InferTensorContentsConverter):  # type: ignore[misc]
    """gRPC contents from text as well as from bytes."""

    @classmethod
    def _get_contents(cls, type_object: TensorData, datatype: Datatype) -> dict[str, Any]:
        contents: dict[str, Any] = super()._get_contents(
            getattr(type_object, "root", type_object), datatype
        )
        if "bytes_contents" in contents:
            contents["bytes_contents"] = _encoded(contents["bytes_contents"])
        return contents


def _encoded(values: list[Any]) -> list[bytes]:
    if set(map(type, values)) == {str}:
        return list(map(str.encode, values))  # a loop of Python's own takes three times as long
    return [value.encode() if isinstance(value, str) else value for value in values]


def _parsed(body: bytes) -> InferenceRequest:
    try:
        return InferenceRequest.model_validate_json(body)
    except ValidationError as error:
        faults = (
            f"{'.'.join(str(part) for part in fault['loc']) or 'the body'}: {fault['msg']}"
            for fault in error.errors()[:5]
        )
        raise MLServerError("; ".join(faults), 422) from None


def _content(answer: InferenceResponse) -> dict[str, Any]:
    content: dict[str, Any] = {
        "model_name": answer.model_name,
        "id": answer.id,
        "outputs": [_output(output) for output in answer.outputs],
    }
    if answer.model_version is not None:
        content["model_version"] = answer.model_version
    if answer.parameters is not None:
        content["parameters"] = answer.parameters.model_dump()
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
