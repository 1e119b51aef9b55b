"""The base of both runtimes: V2 requests in, V2 responses out, with metrics and logs."""

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from time import perf_counter
from types import MappingProxyType
from typing import Any, ClassVar

from mlserver import MLModel
from mlserver.settings import ModelSettings
from mlserver.types import (
    InferenceRequest,
    InferenceResponse,
    Parameters,
    ResponseOutput,
    TensorData,
)

from pokewatch.contract import TensorSpec
from pokewatch.serving.logs import request_id_var
from pokewatch.serving.metrics import REFUSED, SECONDS
from pokewatch.serving.tensors import (
    BadInputError,
    Column,
    decode,
    encode,
    metadata,
    wanted_outputs,
)
from pokewatch.settings import ServingSettings

logger = logging.getLogger("pokewatch.serving")


def by_name(*tensors: TensorSpec) -> Mapping[str, TensorSpec]:
    """Return tensors by name, in the given order."""
    return MappingProxyType({tensor.name: tensor for tensor in tensors})


class ColumnData(TensorData):  # type: ignore[misc]
    """A column as it is. MLServer's TensorData copies lists, value by value."""

    root: Any


class ColumnOutput(ResponseOutput):  # type: ignore[misc]
    """A column: a list of texts or an array of numbers."""

    data: ColumnData


class ColumnResponse(InferenceResponse):  # type: ignore[misc]
    """A response whose outputs are columns, without parameters of their own."""

    outputs: list[ColumnOutput]


class TensorRuntime(MLModel):  # type: ignore[misc]  # MLServer ships no types
    """A runtime declared by its tensors. `answer` receives validated columns."""

    declared_inputs: ClassVar[Mapping[str, TensorSpec]]
    declared_outputs: ClassVar[Mapping[str, TensorSpec]]

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.inputs = [metadata(tensor) for tensor in self.declared_inputs.values()]
        self.outputs = [metadata(tensor) for tensor in self.declared_outputs.values()]
        self._max_rows = ServingSettings.read().max_rows
        self._seconds = SECONDS.labels(self.name)

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        started = perf_counter()
        request_id = _request_id(payload)
        request_id_var.set(request_id)
        try:
            wanted = wanted_outputs(payload, self.declared_outputs)
            columns = decode(payload, self.declared_inputs, self._max_rows)
            values, parameters = self.answer(columns, wanted)
        except BadInputError as error:
            REFUSED.labels(self.name).inc()
            logger.warning("request refused: %s", error)
            raise
        parameters.headers = {"X-Request-Id": request_id} if request_id else None
        outputs = [encode(tensor, values[tensor.name]) for tensor in wanted]
        self._seconds.observe(perf_counter() - started)
        return ColumnResponse.model_validate(
            {"model_name": self.name, "parameters": parameters, "outputs": outputs}
        )

    @abstractmethod
    def answer(
        self, columns: Mapping[str, Column], wanted: Sequence[TensorSpec]
    ) -> tuple[Mapping[str, Column], Parameters]:
        """Return the `wanted` outputs, one value per row, and the response parameters."""


def _request_id(payload: InferenceRequest) -> str:
    """Return the caller's X-Request-Id, or else the V2 id.

    Only printable ASCII is returned, because it becomes a response header.
    """
    headers = payload.parameters.headers if payload.parameters else None
    given = str((headers or {}).get("x-request-id") or payload.id)[:128]
    return given if given.isascii() and given.isprintable() else ""
