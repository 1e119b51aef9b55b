"""gRPC requests to the runtimes of PokeWatch; other models use MLServer's own servicer.

MLServer makes a Python object of every value and a message of every output. A TensorRuntime works
on columns, so here numbers are read into arrays, and its response is written as the bytes of the
message. Both ways lead to the same data plane. Requests with raw contents, as tritonclient sends
them, and streams take MLServer's.
"""

from typing import Any

import grpc
from mlserver.errors import MLServerError
from mlserver.grpc import GRPCServer
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.servicers import InferenceServicer
from mlserver.grpc.utils import handle_mlserver_error, to_headers
from mlserver.utils import insert_headers

from pokewatch.serving.mlserver.grpc_tensors import ColumnRequestConverter
from pokewatch.serving.mlserver.response_bytes import response_bytes

_SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name


class ColumnServicer(InferenceServicer):  # type: ignore[misc]  # MLServer ships no types
    """Answers a request to a TensorRuntime with the bytes of the response."""

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802  # gRPC's name
        if not request.raw_input_contents and await self._is_tensor_runtime(request):
            return await self._infer_columns(request, context)
        return await super().ModelInfer(request, context)

    async def _is_tensor_runtime(self, request: Any) -> bool:
        """Return False also for a model that is not ready: MLServer's way answers why."""
        name, version = request.model_name, request.model_version
        try:
            return bool(await self._data_plane.is_tensor_runtime(name, version))
        except MLServerError:
            return False

    @handle_mlserver_error  # type: ignore[untyped-decorator]
    async def _infer_columns(self, request: Any, context: Any) -> bytes:
        payload = ColumnRequestConverter.to_types(request)
        insert_headers(payload, to_headers(context))
        response = await self._data_plane.infer(payload, request.model_name, request.model_version)
        self._SetTrailingMetadata(response, context)
        return response_bytes(response)


class ColumnGRPCServer(GRPCServer):  # type: ignore[misc]
    """MLServer's server, in which a response may be bytes already."""

    def _create_server(self) -> Any:
        server = super()._create_server()
        servicer = ColumnServicer(self._data_plane, self._model_repository_handlers)
        infer = grpc.unary_unary_rpc_method_handler(
            servicer.ModelInfer, pb.ModelInferRequest.FromString, _serialized
        )
        server.add_registered_method_handlers(_SERVICE, {"ModelInfer": infer})
        return server


def _serialized(response: Any) -> bytes:
    return response if isinstance(response, bytes) else response.SerializeToString()
