"""MLServer's data plane, which both REST and gRPC requests go through."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mlserver.context import model_context
from mlserver.errors import MLServerError, ModelNotFound
from mlserver.handlers import DataPlane
from mlserver.middleware import InferenceMiddlewares
from mlserver.model import MLModel
from mlserver.registry import MultiModelRegistry
from mlserver.settings import Settings
from mlserver.types import MetadataModelResponse
from prometheus_client import Counter, Summary

from pokewatch.contract import is_challenger
from pokewatch.serving.runtime import TensorRuntime

if TYPE_CHECKING:
    from pokewatch.tracing.tracer import Tracer

LOADING = "it is being loaded"


class CheckedDataPlane(DataPlane):  # type: ignore[misc]  # MLServer ships no types
    """Finds the model before a request is counted, and sends no CloudEvents headers.

    `not_loaded` maps each model that could not be loaded at start-up to the reason.
    """

    def __init__(self, settings: Settings, model_registry: MultiModelRegistry) -> None:
        # Created before the servers listen: here settings.json can no longer override the variable.
        settings.host = os.environ.get("MLSERVER_HOST") or settings.host
        super().__init__(settings, model_registry)
        self._inference_middleware = InferenceMiddlewares()
        self.not_loaded: dict[str, str] = {}
        self._metrics_of: dict[tuple[str, str | None], tuple[Counter, Counter, Summary]] = {}

    async def find(self, name: str, version: str | None = None) -> MLModel:
        """Return a model that is ready.

        Raise ModelNotFound, or MLServerError (503) with the reason why the model is not ready.
        """
        try:
            model = await self._model_registry.get_model(name, version)
        except ModelNotFound:
            if name not in self.not_loaded:
                raise
            model = None
        if model is None or not model.ready:
            raise MLServerError(self.not_ready_reason(name), 503)
        return model

    async def is_tensor_runtime(self, name: str, version: str | None = None) -> bool:
        """Return whether a model is a TensorRuntime, in this process or in workers.

        Raise as `find` does.
        """
        model = await self.find(name, version)
        return isinstance(getattr(model, "_model", model), TensorRuntime)

    def not_ready_reason(self, name: str) -> str:
        """Return why a model is not ready, as a sentence."""
        return f"{name} is not ready: {self.not_loaded.get(name, LOADING)}"

    async def ready(self) -> bool:
        """Return whether all models but challengers are ready.

        Until a challenger is loaded, the champion answers its callers, so that the server must not
        be taken out of service.
        """
        models = await self._model_registry.get_models()
        missing = [name for name in self.not_loaded if not is_challenger(name)]
        return all([await self.model_ready(name) for name in missing]) and all(
            model.ready for model in models if not is_challenger(model.name)
        )

    async def model_ready(self, name: str, version: str | None = None) -> bool:
        try:
            return bool(await super().model_ready(name, version))
        except ModelNotFound:
            if name not in self.not_loaded:
                raise
            return False

    async def model_metadata(self, name: str, version: str | None = None) -> MetadataModelResponse:
        await self.find(name, version)
        return await super().model_metadata(name, version)

    @asynccontextmanager
    async def _infer_contextmanager(
        self, name: str, version: str | None = None
    ) -> AsyncIterator[Any]:
        """Yield the model, and count and time its request as MLServer does."""
        model = await self.find(name, version)
        succeeded, failed, seconds = self._metrics(name, version)
        with seconds.time(), failed.count_exceptions(), model_context(model.settings):
            yield model
        succeeded.inc()

    def _metrics(self, name: str, version: str | None) -> tuple[Counter, Counter, Summary]:
        """Return MLServer's metrics of a model. Only one that exists has any, so there are few."""
        key = name, version
        if key not in self._metrics_of:
            families = (
                self._ModelInferRequestSuccess,
                self._ModelInferRequestFailure,
                self._ModelInferRequestDuration,
            )
            self._metrics_of[key] = tuple(each.labels(*key) for each in families)
        return self._metrics_of[key]


def data_plane(tracer: "Tracer | None") -> type[CheckedDataPlane]:
    """Return the class of the data plane. With a tracer, requests in a trace are spans of it."""
    if tracer is None:
        return CheckedDataPlane
    from pokewatch.serving.mlserver.traced_data_plane import traced_data_plane

    return traced_data_plane(tracer)
