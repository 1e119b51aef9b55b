"""The reference page of the metrics, generated from their definitions."""

from collections.abc import Iterable

from prometheus_client import REGISTRY, Metric

PREFIX = "pokewatch_"


def gateway_metrics() -> list[Metric]:
    """Return the metrics of a gateway."""
    from pokewatch.gateway.metrics import Metrics

    return _ours(Metrics().registry.collect())


def runtime_metrics() -> list[Metric]:
    """Return the metrics of the runtimes, without those of MLServer."""
    import pokewatch.serving.metrics  # registers them  # noqa: F401

    return _ours(REGISTRY.collect())


def full_name(metric: Metric) -> str:
    """Return the name in Prometheus; for a histogram, its stem."""
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def metrics_page() -> str:
    """Return the page of all metrics, in Markdown."""
    lines = [
        "# Metrics",
        "",
        "The metrics that each server exposes at `/metrics`. For scraping, alerts and",
        "dashboards see [monitoring](monitoring.md). A histogram has the suffixes `_bucket`,",
        "`_sum` and `_count`. Times are in seconds, timestamps in seconds since 1970, ratios",
        "from 0 to 1.",
        "",
        "## The gateway",
        "",
        "On a separate port (8083), reachable from this machine only unless",
        "`POKEWATCH_GATEWAY_METRICS_HOST` is set. No label holds a card, a key or any other",
        "value that a caller can choose. `process_...` metrics cover memory, CPU, open files",
        "and the start time.",
        "",
        *_table(gateway_metrics()),
        "",
        "## The runtimes",
        "",
        "On MLServer's metrics port (8082), next to MLServer's own (`rest_server_...`,",
        "`model_infer_request_...`, `grpc_server_...`). The metrics of model and book come",
        "from the manifest of the served price book, and are replaced at a reload.",
        "`pokewatch_monitoring...` exist once a monitoring run has been made.",
        "",
        *_table(runtime_metrics()),
    ]
    return "\n".join(lines) + "\n"


def _ours(found: Iterable[Metric]) -> list[Metric]:
    return [metric for metric in found if metric.name.startswith(PREFIX)]


def _table(metrics: Iterable[Metric]) -> list[str]:
    rows = [
        f"| `{full_name(metric)}` | {metric.type} | {metric.documentation} |" for metric in metrics
    ]
    return ["| metric | type | description |", "| --- | --- | --- |", *rows]
