"""Messages of the Open Inference Protocol (V2) as JSON."""

from collections.abc import Mapping, Sequence
from itertools import count
from secrets import token_hex
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pokewatch.contract import FAIR_PRICE_OUTPUTS

MAX_TENSORS = 16

Column = list[Any]
Columns = Mapping[str, Column]
Name = Annotated[str, Meta(max_length=64)]
Text = Annotated[str, Meta(max_length=256)]
Parameters = Annotated[dict[Name, Any], Meta(max_length=16)]


class V2Tensor(msgspec.Struct, frozen=True, omit_defaults=True):
    """A named tensor. `data` is flat, or nested for the shape [n, 1]."""

    name: Name
    shape: Annotated[list[int], Meta(max_length=8)]
    datatype: Name
    data: Annotated[
        Column,
        Meta(
            description="Texts, numbers or nulls, or rows of them.",
            extra_json_schema={"items": {}},
        ),
    ]
    parameters: Parameters | None = None


class Output(msgspec.Struct, frozen=True, omit_defaults=True):
    """A requested output."""

    name: Name
    parameters: Parameters | None = None


class InferRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tensors for a model."""

    inputs: Annotated[list[V2Tensor], Meta(max_length=MAX_TENSORS)]
    id: Text | None = None
    parameters: Parameters | None = None
    outputs: Annotated[list[Output], Meta(max_length=MAX_TENSORS)] | None = None


class InferResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The tensors that a model returns."""

    model_name: str
    outputs: list[V2Tensor]
    id: str | None = None
    model_version: str | None = None
    parameters: dict[str, Any] | None = None


class _Answered(msgspec.Struct, frozen=True):
    """The members read of an output. PokeWatch's models return flat data."""

    name: str
    data: list[float | str | None]


Version = Annotated[str, msgspec.Meta(min_length=1)]


class Versions(msgspec.Struct, frozen=True):
    """The model and data versions of a reply, and the currency of its prices."""

    model_version: Version
    data_version: Version
    run_id: str = ""
    currency: str = ""
    market: str = ""


class _DecisionParameters(msgspec.Struct, frozen=True):
    currency: str = ""


class _Reply(msgspec.Struct, frozen=True):
    outputs: list[_Answered]
    id: str | None = None


class _Decided(_Reply, frozen=True):
    parameters: _DecisionParameters = _DecisionParameters()


class _Versioned(_Reply, frozen=True, kw_only=True):
    parameters: Versions


class Refusal(msgspec.Struct, frozen=True):
    """An error reply of V2 or of the catalogue endpoints."""

    error: str
    near: list[str] = []


_WIDTHS = {tensor.name: tensor.width for tensor in FAIR_PRICE_OUTPUTS if tensor.width > 1}
_PROCESS = token_hex(8)
_numbers = count()
_encode = msgspec.json.Encoder().encode
_decided = msgspec.json.Decoder(_Decided).decode
_versioned = msgspec.json.Decoder(_Versioned).decode
_refusal = msgspec.json.Decoder(Refusal).decode


def string_tensor(name: str, values: Sequence[str]) -> V2Tensor:
    return V2Tensor(name, [len(values)], "BYTES", list(values))


def float_tensor(name: str, values: Sequence[float | None], width: int = 1) -> V2Tensor:
    """Return a tensor of the shape [n], or [n, width] from flat `values`."""
    shape = [len(values)] if width == 1 else [len(values) // width, width]
    return V2Tensor(name, shape, "FP64", list(values))


def rows_of(tensor: V2Tensor, rows: slice) -> V2Tensor:
    """Return some rows of a tensor with flat data. A tensor of one row is that of every row."""
    count, *widths = tensor.shape
    if count == 1:
        return tensor
    width = widths[0] if widths else 1
    start, stop, _ = rows.indices(count)
    data = tensor.data[start * width : stop * width]
    return V2Tensor(tensor.name, [stop - start, *widths], tensor.datatype, data)


def new_id() -> str:
    """Return a unique request id."""
    return f"{_PROCESS}{next(_numbers):x}"


def encode_request(inputs: list[V2Tensor], names: Sequence[str], request_id: str) -> bytes:
    """Return a request for the outputs `names`."""
    return _encode(InferRequest(inputs, request_id, outputs=[Output(name) for name in names]))


def decode_columns(
    body: bytes, names: Sequence[str], rows: int, request_id: str
) -> tuple[Columns, str]:
    """Return the outputs `names`, each with `rows` values, and the currency, "" if unknown.

    Raise ValueError for other counts.
    """
    try:
        reply = _decided(body)
        return _checked(reply, names, rows, request_id), reply.parameters.currency
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a V2 reply: {error}") from error


def decode_versioned(
    body: bytes, names: Sequence[str], rows: int, request_id: str
) -> tuple[Columns, Versions]:
    """Return the outputs and the versions. Raise ValueError for a reply without them.

    The data of an output with several values per row is flat.
    """
    try:
        reply = _versioned(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a V2 reply with versions: {error}") from error
    return _checked(reply, names, rows, request_id), reply.parameters


def _checked(reply: _Reply, names: Sequence[str], rows: int, request_id: str) -> Columns:
    if reply.id is not None and reply.id != request_id:
        raise ValueError("the reply is to another request")
    found: Columns = {output.name: output.data for output in reply.outputs}
    if len(found) != len(reply.outputs):
        raise ValueError("an output is repeated")
    for name in names:
        count = len(found.get(name, ()))
        if count != rows * _WIDTHS.get(name, 1):
            raise ValueError(f"output {name!r} has {count} values for {rows} rows")
    return found


def flatten(data: Column) -> Column:
    """Return the data of the shape [n, 1] as [n], any other unchanged."""
    nested = all(isinstance(row, list) and len(row) == 1 for row in data)
    return [row[0] for row in data] if nested else data


def decode_refusal(body: bytes) -> Refusal:
    """Return the error of a reply, or the beginning of its body if it is not JSON."""
    try:
        return _refusal(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Refusal(body[:200].decode("utf-8", "replace"))
