"""The Open Inference Protocol (V2), JSON form: what the gateway sends, reads and answers."""

from collections.abc import Mapping, Sequence
from itertools import count
from secrets import token_hex
from typing import Annotated, Any

import msgspec
from msgspec import Meta

MOST_TENSORS = 16

Column = list[Any]
Columns = Mapping[str, Column]
Name = Annotated[str, Meta(max_length=64)]
Text = Annotated[str, Meta(max_length=256)]
Parameters = Annotated[dict[Name, Any], Meta(max_length=16)]


class V2Tensor(msgspec.Struct, frozen=True, omit_defaults=True):
    """`data` is flat, or nested as [n, 1]."""

    name: Name
    shape: Annotated[list[int], Meta(max_length=8)]
    datatype: Name
    data: Column
    parameters: Parameters | None = None


class Output(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tensor asked for by name."""

    name: Name
    parameters: Parameters | None = None


class InferRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    inputs: Annotated[list[V2Tensor], Meta(max_length=MOST_TENSORS)]
    id: Text | None = None
    parameters: Parameters | None = None
    outputs: Annotated[list[Output], Meta(max_length=MOST_TENSORS)] | None = None


class InferResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    model_name: str
    outputs: list[V2Tensor]
    id: str | None = None
    model_version: str | None = None
    parameters: dict[str, Any] | None = None


class _Answered(msgspec.Struct, frozen=True):
    """What is read of a tensor that one of our models answers: they shape it [n]."""

    name: str
    data: list[float | str | None]


Version = Annotated[str, msgspec.Meta(min_length=1)]


class Versions(msgspec.Struct, frozen=True):
    """What an answer comes from."""

    model_version: Version
    data_version: Version
    run_id: str = ""


class _Reply(msgspec.Struct, frozen=True):
    outputs: list[_Answered]
    id: str | None = None


class _Versioned(_Reply, frozen=True, kw_only=True):
    parameters: Versions


class Refusal(msgspec.Struct, frozen=True):
    """A V2 error object, and a catalogue error."""

    error: str
    near: list[str] = []


_PROCESS = token_hex(8)
_numbers = count()
_encode = msgspec.json.Encoder().encode
_reply = msgspec.json.Decoder(_Reply).decode
_versioned = msgspec.json.Decoder(_Versioned).decode
_refusal = msgspec.json.Decoder(Refusal).decode


def strings(name: str, values: Sequence[str]) -> V2Tensor:
    return V2Tensor(name, [len(values)], "BYTES", list(values))


def floats(name: str, values: Sequence[float | None]) -> V2Tensor:
    return V2Tensor(name, [len(values)], "FP64", list(values))


def new_id() -> str:
    """An id that no other request has: a reply repeats it."""
    return f"{_PROCESS}{next(_numbers):x}"


def request(inputs: list[V2Tensor], names: Sequence[str], request_id: str) -> bytes:
    """A request for the outputs `names`."""
    return _encode(InferRequest(inputs, request_id, outputs=[Output(name) for name in names]))


def columns(body: bytes, names: Sequence[str], rows: int, request_id: str) -> Columns:
    """The outputs `names` of a reply, each with `rows` values. Raises ValueError when it is anything else."""
    try:
        return _checked(_reply(body), names, rows, request_id)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a V2 reply: {error}") from error


def versioned(
    body: bytes, names: Sequence[str], rows: int, request_id: str
) -> tuple[Columns, Versions]:
    """As `columns`, of a reply whose parameters say what it comes from."""
    try:
        reply = _versioned(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a V2 reply with versions: {error}") from error
    return _checked(reply, names, rows, request_id), reply.parameters


def _checked(reply: _Reply, names: Sequence[str], rows: int, request_id: str) -> Columns:
    if reply.id is not None and reply.id != request_id:
        raise ValueError("it answers another request")
    found: Columns = {output.name: output.data for output in reply.outputs}
    if len(found) != len(reply.outputs):
        raise ValueError("an output is given twice")
    for name in names:
        if len(found.get(name, ())) != rows:
            raise ValueError(
                f"output {name!r} has {len(found.get(name, ()))} values for {rows} rows"
            )
    return found


def flat(data: Column) -> Column:
    """[n, 1] as [n]; anything else as it is."""
    return (
        [row[0] for row in data]
        if all(isinstance(row, list) and len(row) == 1 for row in data)
        else data
    )


def refusal(body: bytes) -> Refusal:
    """The error of a reply, as far as it has one."""
    try:
        return _refusal(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Refusal(body[:200].decode("utf-8", "replace"))
