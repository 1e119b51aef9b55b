"""The gateway with the models in its process: `pokewatch gateway --in-process`."""

import logging
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import REGISTRY, Metric
from prometheus_client.registry import Collector

from pokewatch.gateway.server import run
from pokewatch.in_process.models import InProcessModels
from pokewatch.in_process.transport import InProcessTransport
from pokewatch.settings import GatewaySettings
from pokewatch.tracing import open_tracer

_EXPORTED = ("pokewatch_", "model_infer_")


class ModelMetrics(Collector):
    """The metrics of the models, which MLServer exports on a port of its own."""

    def collect(self) -> Iterable[Metric]:
        return [found for found in REGISTRY.collect() if found.name.startswith(_EXPORTED)]


def run_in_process(settings: GatewaySettings, models: Path) -> None:
    """Serve the models of a folder until SIGTERM or SIGINT. Raise KeyStoreError."""
    logging.getLogger("mlserver").setLevel(logging.WARNING)
    tracer = open_tracer("pokewatch")
    transport = InProcessTransport(InProcessModels(models, tracer))
    run(settings, transport, [ModelMetrics()], tracer)
