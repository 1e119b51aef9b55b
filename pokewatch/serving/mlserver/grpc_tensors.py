"""gRPC tensors: validation of the contents of requests, and the contents of responses."""

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from mlserver.grpc.converters import (
    InferTensorContentsConverter,
    ModelInferRequestConverter,
    ModelInferResponseConverter,
)
from mlserver.grpc.dataplane_pb2 import InferTensorContents
from mlserver.types import Datatype, InferenceRequest, InferenceResponse, TensorData
from numpy.typing import NDArray

from pokewatch.serving.runtime import ColumnResponse
from pokewatch.serving.tensors import BadInputError

_CONTENTS = {"FP64": "fp64_contents", "BYTES": "bytes_contents"}


class CheckedRequestConverter(ModelInferRequestConverter):  # type: ignore[misc]  # MLServer ships no types
    """Converts a gRPC request whose contents match the declared datatypes and shapes."""

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
                f"the tensors or parameters of the request cannot be read: {error}"
            ) from None


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
    """Writes the columns of a ColumnResponse into the message; other responses are MLServer's.

    MLServer makes a message of each column, and copies it twice into those around it.
    """

    @classmethod
    def from_types(cls, type_object: InferenceResponse, use_raw: bool = False) -> Any:
        if use_raw or not isinstance(type_object, ColumnResponse):
            return super().from_types(type_object, use_raw)
        message = super().from_types(type_object.model_copy(update={"outputs": []}))
        for output in type_object.outputs:
            datatype = str(output.datatype)
            tensor = message.outputs.add(name=output.name, shape=output.shape, datatype=datatype)
            values = output.data.root
            if datatype == "BYTES":
                tensor.contents.bytes_contents.extend(_encode_column(values))
            else:
                tensor.contents.MergeFromString(_prefix(len(values)) + _packed(values))
        return message


@lru_cache(maxsize=1024)
def _prefix(numbers: int) -> bytes:
    """Return what precedes as many numbers in the contents of a tensor on the wire."""
    zeros = InferTensorContents(fp64_contents=[0.0] * numbers).SerializeToString()
    return bytes(zeros[: len(zeros) - 8 * numbers])


def _packed(numbers: Sequence[float] | NDArray[np.float64]) -> bytes:
    """Return numbers as Protocol Buffers encode a packed field of doubles: in little-endian order.

    An array has them so already, and copying it takes a tenth of the time of a list of floats.
    """
    return np.asarray(numbers, dtype="<f8").tobytes()


def _encode_column(texts: list[str]) -> list[bytes]:
    """Return texts as bytes; often, as with days and statuses, all are the same."""
    if texts.count(texts[0]) == len(texts):
        return [texts[0].encode()] * len(texts)
    return list(map(str.encode, texts))


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
