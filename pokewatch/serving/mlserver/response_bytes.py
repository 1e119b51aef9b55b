"""The message of a response of columns, written as Protocol Buffers encode it.

Each field is its key, the number of its bytes, and these. A message of Python objects would be
filled value by value, and then serialized.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from google.protobuf.descriptor_pb2 import (  # type: ignore[import-untyped]  # it ships no types
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message_factory import GetMessages  # type: ignore[import-untyped]
from mlserver.grpc.converters import ModelInferResponseConverter
from mlserver.grpc.dataplane_pb2 import InferTensorContents, ModelInferResponse

from pokewatch.serving.runtime import ColumnResponse
from pokewatch.serving.tensors import Column


def response_bytes(response: ColumnResponse) -> bytes:
    """Return the ModelInferResponse of a response, serialized."""
    without_outputs = response.model_copy(update={"outputs": []})
    parts = [ModelInferResponseConverter.from_types(without_outputs).SerializeToString()]
    for output in response.outputs:
        datatype = str(output.datatype)
        head = _head(output.name, datatype, tuple(output.shape))
        contents = _contents(datatype, output.data.root)
        start = _CONTENTS + _varint(len(contents))
        length = len(head) + len(start) + len(contents)
        parts += (_OUTPUTS, _varint(length), head, start, contents)
    return b"".join(parts)


def _contents(datatype: str, column: Column) -> bytes:
    """Return the InferTensorContents of a column, serialized.

    Numbers are as in their array, in little-endian order: to copy it takes a tenth of the time of
    converting floats.
    """
    if datatype == "BYTES":
        return _texts(column)  # type: ignore[arg-type]
    numbers = np.asarray(column, dtype="<f8").tobytes()
    return _NUMBERS + _varint(len(numbers)) + numbers


def _texts(texts: list[str]) -> bytes:
    if texts[0] == texts[-1] and texts.count(texts[0]) == len(texts):  # as days mostly are
        return bytes(_TextContents(bytes_contents=texts[:1]).SerializeToString()) * len(texts)
    return bytes(_TextContents(bytes_contents=texts).SerializeToString())


@lru_cache(maxsize=1024)
def _head(name: str, datatype: str, shape: tuple[int, ...]) -> bytes:
    """Return an output without contents, serialized."""
    tensor = ModelInferResponse.InferOutputTensor(name=name, datatype=datatype, shape=shape)
    return bytes(tensor.SerializeToString())


def _varint(number: int) -> bytes:
    """Return a number as it is encoded: seven bits in each byte, the lowest first."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _key(message: Any, field: str) -> bytes:
    """Return the key of a field of variable length: its number, and 2 for that kind."""
    return _varint(message.DESCRIPTOR.fields_by_name[field].number << 3 | 2)


_OUTPUTS = _key(ModelInferResponse, "outputs")
_CONTENTS = _key(ModelInferResponse.InferOutputTensor, "contents")
_NUMBERS = _key(InferTensorContents, "fp64_contents")


def _text_contents() -> Any:
    """Return the class InferTensorContents with text as `bytes_contents`.

    Text and bytes are encoded alike, and so a list of text need not be converted first.
    """
    file = FileDescriptorProto(name="pokewatch/text_contents.proto", package="pokewatch")
    message = file.message_type.add()
    InferTensorContents.DESCRIPTOR.CopyToProto(message)
    (field,) = (each for each in message.field if each.name == "bytes_contents")
    field.type = FieldDescriptorProto.TYPE_STRING
    return GetMessages([file])["pokewatch.InferTensorContents"]


_TextContents = _text_contents()
