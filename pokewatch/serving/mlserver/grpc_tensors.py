"""gRPC tensors: validation of the contents of requests, and the contents of responses."""

import struct
from typing import Any

import numpy as np
from mlserver.grpc.converters import (
    InferTensorContentsConverter,
    ModelInferRequestConverter,
    ModelInferResponseConverter,
    ParametersConverter,
)
from mlserver.grpc.dataplane_pb2 import ModelInferResponse
from mlserver.types import (
    Datatype,
    InferenceRequest,
    InferenceResponse,
    RequestInput,
    RequestOutput,
    TensorData,
)
from numpy.typing import NDArray

from pokewatch.serving.mlserver.response_bytes import response_bytes
from pokewatch.serving.runtime import ColumnResponse
from pokewatch.serving.tensors import BadInputError

_CONTENTS = {"FP64": "fp64_contents", "BYTES": "bytes_contents"}


class CheckedRequestConverter(ModelInferRequestConverter):  # type: ignore[misc]  # MLServer ships no types
    """Converts a gRPC request whose contents match the declared datatypes and shapes."""

    @classmethod
    def to_types(cls, pb_object: Any) -> InferenceRequest:
        _check_contents(pb_object)
        try:
            return cls._converted(pb_object)
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
                f"the tensors or parameters of the request cannot be read: {error}"
            ) from None

    @classmethod
    def _converted(cls, pb_object: Any) -> InferenceRequest:
        return super().to_types(pb_object)


class ColumnRequestConverter(CheckedRequestConverter):
    """Converts a request without raw contents for a TensorRuntime: numbers become an array."""

    @classmethod
    def _converted(cls, pb_object: Any) -> InferenceRequest:
        inputs = [
            RequestInput.model_construct(
                name=tensor.name,
                shape=list(tensor.shape),
                datatype=tensor.datatype,
                parameters=ParametersConverter.to_types(tensor.parameters),
                data=_values(tensor.contents),
            )
            for tensor in pb_object.inputs
        ]
        outputs = [
            RequestOutput.model_construct(
                name=each.name, parameters=ParametersConverter.to_types(each.parameters)
            )
            for each in pb_object.outputs
        ]
        return InferenceRequest.model_construct(
            id=pb_object.id,
            parameters=ParametersConverter.to_types(pb_object.parameters),
            inputs=inputs,
            outputs=outputs or None,
        )


class TextContentsConverter(InferTensorContentsConverter):  # type: ignore[misc]
    """Accepts text as well as bytes in BYTES contents."""

    @classmethod
    def _get_contents(cls, type_object: TensorData, datatype: Datatype) -> dict[str, Any]:
        contents: dict[str, Any] = super()._get_contents(
            getattr(type_object, "root", type_object), datatype
        )
        if "bytes_contents" in contents:
            contents["bytes_contents"] = _encode(contents["bytes_contents"])
        return contents


class ColumnResponseConverter(ModelInferResponseConverter):  # type: ignore[misc]
    """Converts a ColumnResponse by `response_bytes`; other responses are MLServer's."""

    @classmethod
    def from_types(cls, type_object: InferenceResponse, use_raw: bool = False) -> Any:
        if use_raw or not isinstance(type_object, ColumnResponse):
            return super().from_types(type_object, use_raw)
        return ModelInferResponse.FromString(response_bytes(type_object))


def _values(contents: Any) -> list[Any] | NDArray[np.float64]:
    """Return the values of an input: numbers as an array, others as a list."""
    if numbers := len(contents.fp64_contents):
        contents.DiscardUnknownFields()  # they may follow the numbers
        packed = contents.SerializeToString()
        return np.frombuffer(packed, "<f8", offset=len(packed) - 8 * numbers)
    return next((list(values) for _, values in contents.ListFields()), [])


def _encode(values: list[Any]) -> list[bytes]:
    try:
        return list(map(str.encode, values))  # a third of the time of a comprehension
    except TypeError:  # some are bytes already
        return [value.encode() if isinstance(value, str) else value for value in values]


def _check_contents(request: Any) -> None:
    empty = 0
    for tensor in request.inputs:
        fields = [field.name for field, _ in tensor.contents.ListFields()]
        empty += not fields
        expected = _CONTENTS.get(tensor.datatype)
        if fields and expected and fields != [expected]:
            raise BadInputError(
                f"input {tensor.name[:80]!r} has datatype {tensor.datatype} but {fields[0]}; "
                f"expected {expected}"
            )
    raw = len(request.raw_input_contents)
    if raw and raw != empty:
        raise BadInputError(f"the request has {raw} raw contents for {empty} inputs without any")
