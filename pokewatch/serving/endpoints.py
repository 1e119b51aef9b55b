"""MLServer's REST endpoints without the copies.

FastAPI takes a body apart and puts an answer together value by value, through Python, and looks an endpoint's parameters up at
every call. Here a body goes through pydantic once, and the columns of an answer straight into JSON: at a thousand rows that is
half of the time; and `infer` is called with what its address holds.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import mlserver.rest.app
from mlserver.errors import MLServerError
from mlserver.grpc.converters import InferTensorContentsConverter
from mlserver.rest.app import APIRoute
from mlserver.rest.endpoints import Endpoints
from mlserver.rest.requests import Request
from mlserver.rest.responses import Response
from mlserver.types import Datatype, InferenceRequest, InferenceResponse, ResponseOutput, TensorData
from mlserver.utils import extract_headers, insert_headers
from pydantic import ValidationError


class DirectEndpoints(Endpoints):  # type: ignore[misc]  # MLServer ships no types
    """`infer` for whole requests; the runtimes answer no streams, and say so before one begins."""

    async def infer(self, raw_request: Request, model_name: str, model_version: str | None = None) -> Response:
        payload = _parsed(await raw_request.body())
        insert_headers(payload, dict(raw_request.headers))
        answer = await self._data_plane.infer(payload, model_name, model_version)
        headers = extract_headers(answer)
        return Response(_content(answer), headers=headers)

    async def infer_stream(self, model_name: str, model_version: str | None = None) -> Response:
        raise MLServerError(f"{model_name} does not stream; ask /v2/models/{model_name}/infer", 405)


class DirectRoute(APIRoute):  # type: ignore[misc]
    """Asks `infer`, which reads its request itself, without FastAPI in between; the other endpoints as MLServer does."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:
        if self.endpoint.__name__ != DirectEndpoints.infer.__name__:
            handler: Callable[[Request], Awaitable[Response]] = super().get_route_handler()
            return handler

        async def handle(request: Request) -> Response:
            return await self.endpoint(mlserver.rest.app.Request(request.scope, request.receive), **request.path_params)

        return handle


class TextContents(InferTensorContentsConverter):  # type: ignore[misc]
    """gRPC contents from text as well as from bytes."""

    @classmethod
    def _get_contents(cls, type_object: TensorData, datatype: Datatype) -> dict[str, Any]:
        contents: dict[str, Any] = super()._get_contents(getattr(type_object, "root", type_object), datatype)
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
        faults = (f"{'.'.join(str(part) for part in fault['loc']) or 'the body'}: {fault['msg']}" for fault in error.errors()[:5])
        raise MLServerError("; ".join(faults), 422) from None


def _content(answer: InferenceResponse) -> dict[str, Any]:
    content: dict[str, Any] = {"model_name": answer.model_name, "id": answer.id, "outputs": [_output(output) for output in answer.outputs]}
    if answer.model_version is not None:
        content["model_version"] = answer.model_version
    if answer.parameters is not None:
        content["parameters"] = answer.parameters.model_dump()
    return content


def _output(output: ResponseOutput) -> dict[str, Any]:
    content = {"name": output.name, "shape": output.shape, "datatype": output.datatype, "data": output.data.root}
    if output.parameters is not None:
        content["parameters"] = output.parameters.model_dump()
    return content
