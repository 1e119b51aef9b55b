"""V2 tensors in and out: from a request to checked columns, and from columns to a response.

MLServer checks no names, lengths or element types, and turns an exception here into a 500; so every fault a client can
make is found before any value is used, and raised as BadInputError with the name of the input.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from mlserver.errors import MLServerError
from mlserver.types import Datatype, InferenceRequest, MetadataTensor, Parameters, RequestInput
from numpy.typing import NDArray

from pokewatch.contract import TensorSpec

Column = list[str] | NDArray[np.float64]

_DATATYPES: Mapping[str, Datatype] = dict(Datatype.__members__)


class BadInputError(MLServerError):  # type: ignore[misc]  # MLServer ships no types
    """A malformed request: HTTP 400, gRPC INVALID_ARGUMENT."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 400)


def metadata(tensor: TensorSpec) -> MetadataTensor:
    """Return the V2 metadata of a declared tensor."""
    parameters = Parameters(optional=True) if tensor.optional or tensor.on_request else None
    return MetadataTensor(
        name=tensor.name, datatype=tensor.datatype, shape=[-1], parameters=parameters
    )


def decode(
    request: InferenceRequest, declared: Mapping[str, TensorSpec], max_rows: int
) -> dict[str, Column]:
    """The columns given: text as a list of str, FP64 as float64 with NaN for null. Raises BadInputError."""
    columns: dict[str, Column] = {}
    for given in request.inputs:
        tensor = declared.get(given.name)
        if tensor is None:
            raise BadInputError(
                f"unknown input {_shown(given.name)}; the inputs are {', '.join(declared)}"
            )
        if given.name in columns:
            raise BadInputError(f"input {given.name!r} is given twice")
        columns[given.name] = _column(tensor, given, max_rows)
    for tensor in declared.values():
        if tensor.name not in columns and not tensor.optional:
            raise BadInputError(f"input {tensor.name!r} is missing")
    _check_rows(columns, declared)
    return columns


def wanted_outputs(
    request: InferenceRequest, declared: Mapping[str, TensorSpec]
) -> Sequence[TensorSpec]:
    """The outputs asked for, in that order; all but those on request if none is named. Raises BadInputError."""
    if not request.outputs:
        return tuple(tensor for tensor in declared.values() if not tensor.on_request)
    names = [output.name for output in request.outputs]
    for name in names:
        if name not in declared:
            raise BadInputError(
                f"unknown output {_shown(name)}; the outputs are {', '.join(declared)}"
            )
    if len(set(names)) != len(names):
        raise BadInputError("an output is asked for twice")
    return tuple(declared[name] for name in names)


def encode(tensor: TensorSpec, values: list[str] | list[float]) -> dict[str, Any]:
    """An output of shape [n], as the content of a ResponseOutput: a response validated as a whole costs a third of its parts."""
    return {
        "name": tensor.name,
        "shape": [len(values)],
        "datatype": _DATATYPES[tensor.datatype],
        "data": values,
    }


def _column(tensor: TensorSpec, given: RequestInput, max_rows: int) -> Column:
    name = tensor.name
    if given.datatype != tensor.datatype:
        raise BadInputError(
            f"input {name!r} must have datatype {tensor.datatype}, got {_shown(given.datatype)}"
        )
    values = getattr(given.data, "root", given.data)
    if not isinstance(values, list):
        raise BadInputError(f"input {name!r} must have a list as data, got {_shown(values)}")
    if (
        given.shape[1:] == [1]
        and values
        and all(isinstance(value, list) and len(value) == 1 for value in values)
    ):
        values = [value[0] for value in values]
    if given.shape not in ([len(values)], [len(values), 1]):
        raise BadInputError(
            f"input {name!r} has {len(values)} values, which do not fill the shape {_shown(given.shape)}; wanted [n] or [n, 1]"
        )
    if not values:
        raise BadInputError(f"input {name!r} has no rows")
    if len(values) > max_rows:
        raise BadInputError(f"input {name!r} has {len(values)} rows, the most is {max_rows}")
    return _READERS[tensor.datatype](tensor, values)


def _texts(tensor: TensorSpec, values: list[Any]) -> list[str]:
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    if not kinds <= {str, bytes}:
        at, value = next(
            (at, value) for at, value in enumerate(values) if type(value) not in (str, bytes)
        )
        raise BadInputError(f"input {tensor.name!r} must be text, got {_shown(value)} at row {at}")
    try:
        return (
            list(map(bytes.decode, values))
            if kinds == {bytes}
            else [value if type(value) is str else value.decode() for value in values]
        )
    except UnicodeDecodeError:
        raise BadInputError(f"input {tensor.name!r} must be UTF-8 text") from None


def _floats(tensor: TensorSpec, values: list[Any]) -> NDArray[np.float64]:
    allowed = (float, int, type(None)) if tensor.nullable else (float, int)
    if not set(map(type, values)) <= set(allowed):
        at, value = next(
            (at, value) for at, value in enumerate(values) if type(value) not in allowed
        )
        raise BadInputError(
            f"input {tensor.name!r} must be numbers, got {_shown(value)} at row {at}"
        )
    try:
        column = np.array(values, dtype=np.float64)
    except OverflowError:
        if not tensor.nullable:
            raise BadInputError(f"input {tensor.name!r} has a number too large for FP64") from None
        column = np.array([_float(value) for value in values])
    if tensor.nullable:
        return column
    bad = ~np.isfinite(column)
    if np.count_nonzero(bad):
        at = int(np.argmax(bad))
        raise BadInputError(f"input {tensor.name!r} must be finite, got {column[at]} at row {at}")
    return column


def _float(value: float | None) -> float:
    if value is None:
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


_READERS: Mapping[str, Callable[[TensorSpec, list[Any]], Column]] = {
    "BYTES": _texts,
    "FP64": _floats,
}


def _check_rows(columns: Mapping[str, Column], declared: Mapping[str, TensorSpec]) -> None:
    """All columns have as many rows as the first declared; a `per_request` one may also have one."""
    first = next(iter(declared))
    rows = len(columns[first])
    for name, column in columns.items():
        if len(column) != rows and not (declared[name].per_request and len(column) == 1):
            raise BadInputError(f"input {name!r} has {len(column)} rows, {first!r} has {rows}")


def _shown(value: object) -> str:
    """A value of the client's, cut short."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
