"""The reference page of the metrics, made from the objects that count."""

from collections.abc import Iterable

from prometheus_client import REGISTRY, Metric

PREFIX = "pokewatch_"


def gateway_metrics() -> list[Metric]:
    """What a gateway tells of its own."""
    from pokewatch.gateway.metrics import Metrics

    return _ours(Metrics().registry.collect())


def runtime_metrics() -> list[Metric]:
    """What the runtimes tell beside MLServer's own."""
    import pokewatch.serving.metrics  # registers them  # noqa: F401

    return _ours(REGISTRY.collect())


def full_name(metric: Metric) -> str:
    """The name as Prometheus stores it; a histogram's has `_bucket`, `_sum` and `_count` behind it."""
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def metrics_page() -> str:
    """Every metric, by who tells it, as Markdown."""
    lines = [
        "# Metrics",
        "",
        "What each tells Prometheus, at `/metrics`. How they are scraped, alerted on and drawn: [monitoring](monitoring.md).",
        "A histogram has `_bucket`, `_sum` and `_count` behind its name. Times are in seconds, moments in seconds since 1970, shares from",
        "0 to 1.",
        "",
        "## The gateway",
        "",
        "On a port of its own (8083), on this machine alone unless `POKEWATCH_GATEWAY_METRICS_HOST` says otherwise. No label holds a",
        "card, a key or anything that a caller can choose. Beside these, `process_...`: memory, CPU, open files, and when the process",
        "started.",
        "",
        *_table(gateway_metrics()),
        "",
        "## The runtimes",
        "",
        "On MLServer's metrics port (8082), with and without worker processes, beside MLServer's own (`rest_server_...`,",
        "`model_infer_request_...`, `grpc_server_...`). What is said of the model and the book is the pipeline's own account, from the",
        "manifest of the price book that is served; after a reload nothing of the former one is left. `pokewatch_monitoring...` are there",
        "where the monitoring flow has measured.",
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
    return ["| metric | kind | what |", "| --- | --- | --- |", *rows]
