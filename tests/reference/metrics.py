"""The reference page of the metrics, generated from the metric objects."""

from collections.abc import Iterable

from prometheus_client import REGISTRY, Metric

PREFIX = "pokewatch_"
_INTRODUCTION = """\
# Metrics

The Prometheus metrics of each server, at `/metrics`. [Monitoring](monitoring.md) describes the
scrape configuration, alerts and dashboards. Histograms have the suffixes `_bucket`, `_sum` and
`_count`. Durations are in seconds, timestamps in seconds since 1970, ratios between 0 and 1.
"""
_GATEWAY = """
## The gateway

On a separate port (8083), bound to this machine unless `POKEWATCH_GATEWAY_METRICS_HOST` is set.
No label contains a card, a key or any other value that a client can choose. `process_...`
metrics (memory, CPU, open files, start time) are exported as well. The label `market` is empty
for a market without a name, such as the only one of a home; MLServer's figures have its id.
"""
_RUNTIMES = """
## The runtimes

On MLServer's metrics port (8082), together with those of MLServer (`rest_server_...`,
`model_infer_request_...`, `grpc_server_...`). The gauges of the model and the book come from the
manifest of the served price book; a reload replaces them all. `pokewatch_monitoring...` exist
once the monitoring flow has run. The gauges of the book and of monitoring are exported only with
`parallel_workers` at 0, see [serving](serving.md#processes).
"""


def gateway_metrics() -> list[Metric]:
    """Return the metrics of the gateway."""
    from pokewatch.gateway.metrics import Metrics

    return _ours(Metrics().registry.collect())


def runtime_metrics() -> list[Metric]:
    """Return the metrics of the runtimes, without those of MLServer."""
    import pokewatch.serving.metrics  # registers them  # noqa: F401

    return _ours(REGISTRY.collect())


def full_name(metric: Metric) -> str:
    """Return the name in Prometheus, without the suffixes of a histogram."""
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def metrics_page() -> str:
    """Return the page as Markdown."""
    gateway, runtimes = "\n".join(_table(gateway_metrics())), "\n".join(_table(runtime_metrics()))
    return f"{_INTRODUCTION}{_GATEWAY}\n{gateway}\n{_RUNTIMES}\n{runtimes}\n"


def _ours(found: Iterable[Metric]) -> list[Metric]:
    return [metric for metric in found if metric.name.startswith(PREFIX)]


def _table(metrics: Iterable[Metric]) -> list[str]:
    rows = [
        f"| `{full_name(metric)}` | {metric.type} | {metric.documentation} |" for metric in metrics
    ]
    return ["| metric | type | description |", "| --- | --- | --- |", *rows]
