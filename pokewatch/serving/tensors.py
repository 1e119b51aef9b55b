"""Decoding V2 requests into validated columns, and encoding columns as V2 outputs.

MLServer checks no names, lengths or element types, and answers an exception in a runtime with a
500. So every client error is detected here, before any value is used, and raised as BadInputError
with the name of the input.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from mlserver.errors import MLServerError
from mlserver.types import Datatype, InferenceRequest, MetadataTensor, Parameters, RequestInput
from numpy.typing import NDArray

from pokewatch.contract import TensorSpec

Column = list[str] | NDArray[np.float64]  # [n], or [n, width]

_DATATYPES: Mapping[str, Datatype] = dict(Datatype.__members__)


class BadInputError(MLServerError):  # type: ignore[misc]  # MLServer ships no types
    """A malformed request: HTTP 400, gRPC INVALID_ARGUMENT."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 400)


def metadata(tensor: TensorSpec) -> MetadataTensor:
    """Return the V2 metadata of a declared tensor."""
    parameters = Parameters(optional=True) if tensor.optional or tensor.on_request else None
    return MetadataTensor(
        name=tensor.name,
        datatype=tensor.datatype,
        shape=[-1] if tensor.width == 1 else [-1, tensor.width],
        parameters=parameters,
    )


def decode(
    request: InferenceRequest, declared: Mapping[str, TensorSpec], max_rows: int
) -> dict[str, Column]:
    """Return the columns of a request: text as a list of str, FP64 as float64 with NaN for null.

    Raise BadInputError.
    """
    columns: dict[str, Column] = {}
    for given in request.inputs:
        tensor = declared.get(given.name)
        if tensor is None:
            raise BadInputError(
                f"unknown input {_shorten(given.name)}; expected {', '.join(declared)}"
            )
        if given.name in columns:
            raise BadInputError(f"input {given.name!r} is repeated")
        columns[given.name] = _column(tensor, given, max_rows)
    for tensor in declared.values():
        if tensor.name not in columns and not tensor.optional:
            raise BadInputError(f"input {tensor.name!r} is missing")
    _check_rows(columns, declared)
    return columns


def wanted_outputs(
    request: InferenceRequest, declared: Mapping[str, TensorSpec]
) -> Sequence[TensorSpec]:
    """Return the requested outputs in their order, or the default outputs if none is named.

    Raise BadInputError.
    """
    if not request.outputs:
        return tuple(tensor for tensor in declared.values() if not tensor.on_request)
    names = [output.name for output in request.outputs]
    for name in names:
        if name not in declared:
            raise BadInputError(f"unknown output {_shorten(name)}; expected {', '.join(declared)}")
    if len(set(names)) != len(names):
        raise BadInputError("an output is requested more than once")
    return tuple(declared[name] for name in names)


def encode(tensor: TensorSpec, column: Column) -> dict[str, Any]:
    """Return an output of shape [n] or [n, width] as the fields of a ResponseOutput.

    Numbers stay in their array, without dimensions: gRPC takes them as they are.
    """
    data = column if isinstance(column, list) else column.ravel()
    return {
        "name": tensor.name,
        "shape": _shape(tensor, len(data)),
        "datatype": _DATATYPES[tensor.datatype],
        "data": data,
    }


def _column(tensor: TensorSpec, given: RequestInput, max_rows: int) -> Column:
    name = tensor.name
    if given.datatype != tensor.datatype:
        raise BadInputError(
            f"input {name!r} must have datatype {tensor.datatype}, got {_shorten(given.datatype)}"
        )
    values = getattr(given.data, "root", given.data)
    if not isinstance(values, list | np.ndarray):
        raise BadInputError(f"the data of input {name!r} must be a list, got {_shorten(values)}")
    width = tensor.width
    if (
        given.shape[1:] == [width]
        and isinstance(values, list)
        and values
        and all(isinstance(value, list) and len(value) == width for value in values)
    ):
        values = [value for row in values for value in row]
    shape = _shape(tensor, len(values))
    expected = ([len(values)], [len(values), 1]) if width == 1 else (shape,)
    if given.shape not in expected or len(values) % width:
        raise BadInputError(
            f"input {name!r} has {len(values)} values but the shape {_shorten(given.shape)}; "
            f"expected {'[n] or [n, 1]' if width == 1 else f'[n, {width}]'}"
        )
    if not len(values):
        raise BadInputError(f"input {name!r} has no rows")
    if shape[0] > max_rows:
        raise BadInputError(
            f"input {name!r} has {shape[0]} rows, more than the limit of {max_rows}"
        )
    column = _READERS[tensor.datatype](tensor, values)
    return column if width == 1 else np.reshape(column, shape)


def _shape(tensor: TensorSpec, values: int) -> list[int]:
    return [values] if tensor.width == 1 else [values // tensor.width, tensor.width]


def _texts(tensor: TensorSpec, values: list[Any]) -> list[str]:
    if type(values[0]) is bytes:  # over gRPC; mostly all are
        try:
            return list(map(bytes.decode, values))
        except (TypeError, UnicodeDecodeError):
            pass  # reported below
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    if not kinds <= {str, bytes}:
        row, value = next(
            (row, value) for row, value in enumerate(values) if type(value) not in (str, bytes)
        )
        raise BadInputError(
            f"input {tensor.name!r} must be text, got {_shorten(value)} at row {row}"
        )
    try:
        return [value if type(value) is str else value.decode() for value in values]
    except UnicodeDecodeError:
        raise BadInputError(f"input {tensor.name!r} must be UTF-8 text") from None


def _floats(tensor: TensorSpec, values: list[Any] | NDArray[np.float64]) -> NDArray[np.float64]:
    column = values if isinstance(values, np.ndarray) else _converted(tensor, values)
    if tensor.nullable:
        return column
    bad = ~np.isfinite(column)
    if np.count_nonzero(bad):
        row = int(np.argmax(bad))
        raise BadInputError(f"input {tensor.name!r} must be finite, got {column[row]} at row {row}")
    return column


def _converted(tensor: TensorSpec, values: list[Any]) -> NDArray[np.float64]:
    allowed = (float, int, type(None)) if tensor.nullable else (float, int)
    if not set(map(type, values)) <= set(allowed):
        row, value = next(
            (row, value) for row, value in enumerate(values) if type(value) not in allowed
        )
        raise BadInputError(
            f"input {tensor.name!r} must be numbers, got {_shorten(value)} at row {row}"
        )
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        if not tensor.nullable:
            raise BadInputError(f"input {tensor.name!r} has a number too large for FP64") from None
        return np.array([_float(value) for value in values])


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
    """Raise BadInputError unless all columns have the same number of rows.

    A `per_request` column may also have one row.
    """
    first = next(iter(declared))
    rows = len(columns[first])
    for name, column in columns.items():
        if len(column) != rows and not (declared[name].per_request and len(column) == 1):
            raise BadInputError(f"input {name!r} has {len(column)} rows, {first!r} has {rows}")


def _shorten(value: object) -> str:
    """Return the repr of a client's value, truncated."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
