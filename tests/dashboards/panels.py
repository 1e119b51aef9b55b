"""What the dashboards show: each panel with its question, in Prometheus' language, and what it means."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Quality = Literal["good", "bad"]
Query = tuple[str, str]  # expression, legend

# As in k8s/monitoring/rules/slo.yaml: the probes and the documentation do not count.
COUNTED = 'route!~"/health|/ready|/docs|/openapi.json|/v2/health/.+|other"'


@dataclass(frozen=True, slots=True)
class DashboardPanel:
    """`width` of 24 columns. `limits` are values from which on it is good or bad; before the first of them it is `below`."""

    title: str
    description: str
    queries: Sequence[Query]
    unit: str = "short"
    kind: Literal["timeseries", "stat", "table"] = "timeseries"
    width: int = 8
    limits: Sequence[tuple[float, Quality]] = ()
    below: Quality = "good"
    valued: bool = True


@dataclass(frozen=True, slots=True)
class DashboardRow:
    title: str
    panels: Sequence[DashboardPanel]


def stat(
    title: str,
    description: str,
    expression: str,
    unit: str = "short",
    limits: Sequence[tuple[float, Quality]] = (),
    below: Quality = "good",
) -> DashboardPanel:
    """One number, of now."""
    return DashboardPanel(title, description, [(expression, "")], unit, "stat", 6, limits, below)


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}[5m]))"


def _quantile(share: float, metric: str, by: str = "le", which: str = "") -> str:
    """`which` is a selector in braces, or nothing for all."""
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket{which}[5m])))"


def _age(moment: str) -> str:
    return f"time() - max({moment})"


_VALID = f'pokewatch_gateway_requests_total{{{COUNTED}, status!~"4.."}}'
_FAILED = f'pokewatch_gateway_requests_total{{{COUNTED}, status=~"5.."}}'
_TIMES = "pokewatch_gateway_request_seconds"
_FAST = f'{_TIMES}_bucket{{{COUNTED}, le="0.15"}}'
_ALL = f"{_TIMES}_count{{{COUNTED}}}"

SERVICE = (
    DashboardRow(
        "Objectives",
        (
            stat(
                "Error budget left (30 days)",
                "1 is the whole of it: 0.1% of the valid requests. Below 0 the objective is missed.",
                f"1 - sum(increase({_FAILED}[30d])) / sum(increase({_VALID}[30d])) / 0.001",
                "percentunit",
                [(0, "good")],
                "bad",
            ),
            stat(
                "Latency budget left (30 days)",
                "1 is the whole of it: 5% of the requests may take longer than 150 ms.",
                f"1 - (1 - sum(increase({_FAST}[30d])) / sum(increase({_ALL}[30d]))) / 0.05",
                "percentunit",
                [(0, "good")],
                "bad",
            ),
            stat(
                "Gateways up",
                "Replicas that Prometheus reaches.",
                'sum(up{job="gateway"})',
                limits=[(1, "good")],
                below="bad",
            ),
            stat(
                "MLServers up",
                "Replicas that Prometheus reaches.",
                'sum(up{job="mlserver"})',
                limits=[(1, "good")],
                below="bad",
            ),
            DashboardPanel(
                "Requests that fail",
                "Share of the valid requests answered with a 5xx. The lines are what wakes somebody: 6 and 14.4 times the budget.",
                [
                    (f"pokewatch:gateway_errors:ratio_rate{window}", window)
                    for window in ("5m", "1h", "6h", "3d")
                ],
                "percentunit",
                width=12,
                limits=[(0.006, "bad"), (0.0144, "bad")],
            ),
            DashboardPanel(
                "Requests that take longer than 150 ms",
                "Share of all requests. 5% are allowed; 30% over 6 hours and 72% over an hour wake somebody.",
                [
                    (f"pokewatch:gateway_slow:ratio_rate{window}", window)
                    for window in ("5m", "1h", "6h", "3d")
                ],
                "percentunit",
                width=12,
                limits=[(0.05, "bad")],
            ),
        ),
    ),
    DashboardRow(
        "Gateway",
        (
            DashboardPanel(
                "Requests by route",
                "",
                [(_rate("pokewatch_gateway_requests_total", "route"), "{{route}}")],
                "reqps",
            ),
            DashboardPanel(
                "Requests by status",
                "",
                [(_rate("pokewatch_gateway_requests_total", "status"), "{{status}}")],
                "reqps",
            ),
            DashboardPanel(
                "Time to answer",
                "From a request's headers to its answer.",
                [
                    (_quantile(share, _TIMES, which=f"{{{COUNTED}}}"), f"p{share * 100:g}")
                    for share in (0.5, 0.95, 0.99)
                ],
                "s",
                limits=[(0.15, "bad")],
            ),
            DashboardPanel(
                "Answers by signal",
                "Cards a second.",
                [(_rate("pokewatch_gateway_predictions_total", "signal"), "{{signal}}")],
            ),
            DashboardPanel(
                "Answer cache",
                "Stale answers are those given while the model server was down.",
                [(_rate("pokewatch_gateway_cache_total", "result"), "{{result}}")],
                "reqps",
            ),
            DashboardPanel(
                "Refused, and without a key",
                "By a key's limit, an address' failures, or load; and all requests without a valid key.",
                [
                    (_rate("pokewatch_gateway_limited_total", "by"), "limited by {{by}}"),
                    ("sum(rate(pokewatch_gateway_keyless_total[5m]))", "without a key"),
                ],
                "reqps",
            ),
            DashboardPanel(
                "Limits without Redis",
                "Decisions that a gateway took by its own counts because Redis did not answer.",
                [
                    (
                        "sum by (instance) (rate(pokewatch_gateway_limiter_fallbacks_total[5m]))",
                        "{{instance}}",
                    )
                ],
                "ops",
            ),
            DashboardPanel(
                "CPU",
                "Cores in use.",
                [
                    (
                        'rate(process_cpu_seconds_total{job=~"gateway|mlserver"}[5m])',
                        "{{job}} {{instance}}",
                    )
                ],
            ),
            DashboardPanel(
                "Memory",
                "",
                [
                    (
                        'process_resident_memory_bytes{job=~"gateway|mlserver"}',
                        "{{job}} {{instance}}",
                    )
                ],
                "bytes",
            ),
        ),
    ),
    DashboardRow(
        "Between gateway and MLServer",
        (
            DashboardPanel(
                "Time of a call (p95)",
                "One exchange with the model server.",
                [
                    (
                        _quantile(0.95, "pokewatch_gateway_upstream_seconds", "le, upstream"),
                        "{{upstream}}",
                    )
                ],
                "s",
            ),
            DashboardPanel(
                "Failed calls",
                "",
                [(_rate("pokewatch_gateway_upstream_failures_total", "upstream"), "{{upstream}}")],
                "ops",
            ),
            DashboardPanel(
                "Breakers",
                "0 closed, 1 trying again, 2 open: the model server is left alone.",
                [
                    (
                        "max by (instance, upstream) (pokewatch_gateway_upstream_state)",
                        "{{instance}} {{upstream}}",
                    )
                ],
                limits=[(1, "bad")],
            ),
            DashboardPanel(
                "Cards a call",
                "How many rows share one call: many requests at a time share many.",
                [
                    (
                        "sum(rate(pokewatch_gateway_coalesced_rows_sum[5m])) / sum(rate(pokewatch_gateway_coalesced_rows_count[5m]))",
                        "mean",
                    )
                ],
            ),
            DashboardPanel(
                "Rows waiting",
                "Queued for, or in, a call.",
                [("sum by (instance) (pokewatch_gateway_waiting_rows)", "{{instance}}")],
            ),
        ),
    ),
    DashboardRow(
        "MLServer",
        (
            DashboardPanel(
                "Time inside the runtimes (p95)",
                "",
                [(_quantile(0.95, "pokewatch_request_seconds", "le, model"), "{{model}}")],
                "s",
            ),
            DashboardPanel(
                "Requests by status",
                "As MLServer counts them, probes included.",
                [(_rate("rest_server_requests_total", "status_code"), "{{status_code}}")],
                "reqps",
            ),
            DashboardPanel(
                "Malformed requests",
                "",
                [(_rate("pokewatch_refused_requests_total", "model"), "{{model}}")],
                "reqps",
            ),
            DashboardPanel(
                "Time since start",
                "A saw is a process that keeps dying.",
                [
                    ("time() - pokewatch_runtime_start_time_seconds", "mlserver {{instance}}"),
                    ('time() - process_start_time_seconds{job="gateway"}', "gateway {{instance}}"),
                ],
                "s",
            ),
        ),
    ),
)

MODEL = (
    DashboardRow(
        "What serves",
        (
            DashboardPanel(
                "Model of each replica",
                "More than one version for longer than a deploy takes is an alert.",
                [("pokewatch_model_info", "")],
                kind="table",
                width=12,
                valued=False,
            ),
            DashboardPanel(
                "What gateways hear",
                "The versions that each gateway's newest answer came from.",
                [("pokewatch_gateway_served_info", "")],
                kind="table",
                width=12,
                valued=False,
            ),
        ),
    ),
    DashboardRow(
        "How good it is",
        (
            DashboardPanel(
                "Coverage of the 90% interval",
                "Share of later prices inside it, as evaluated before the model shipped and as measured since. 86% to 94% is allowed.",
                [("pokewatch:coverage_90:ratio", "{{measured}}")],
                "percentunit",
                limits=[(0.86, "good"), (0.94, "bad")],
                below="bad",
            ),
            DashboardPanel(
                "Error against the last price",
                "Below 1 the model is better than repeating the last price.",
                [("pokewatch:rmae_last:ratio", "{{measured}}")],
                limits=[(1.1, "bad")],
            ),
            DashboardPanel(
                "Mean error",
                "In percent, as evaluated before the model shipped.",
                [('max(pokewatch_evaluation{metric="mape"})', "mape")],
                "percent",
            ),
            DashboardPanel(
                "Every figure of the evaluation",
                "",
                [("max by (metric) (pokewatch_evaluation)", "")],
                kind="table",
                width=12,
            ),
            DashboardPanel(
                "Every figure of the look back",
                "Empty until the monitoring flow has run.",
                [("max by (metric) (pokewatch_monitoring)", "")],
                kind="table",
                width=12,
            ),
        ),
    ),
    DashboardRow(
        "What it says",
        (
            DashboardPanel(
                "Signals of the book",
                "Share of the cards valued on the newest day, at their market price.",
                [("avg by (signal) (pokewatch_book_signal_ratio)", "{{signal}}")],
                "percentunit",
            ),
            DashboardPanel(
                "Signals of the answers",
                "Share of the answers of six hours, where there were at least 500: what customers asked about.",
                [("pokewatch:answers_6h:ratio", "{{signal}}")],
                "percentunit",
            ),
            DashboardPanel(
                "Rows judged",
                "By the runtime, a second.",
                [(_rate("pokewatch_decisions_total", "signal"), "{{signal}}")],
            ),
        ),
    ),
)

DATA = (
    DashboardRow(
        "Age",
        (
            stat(
                "Age of the data",
                "Since the newest market day ended. 36 hours are allowed.",
                "pokewatch:data_age:seconds",
                "s",
                [(36 * 3600, "bad")],
            ),
            stat(
                "Age of the book",
                "Since the pipeline made what is served.",
                "pokewatch:book_age:seconds",
                "s",
                [(30 * 3600, "bad")],
            ),
            stat("Cards", "In the served book.", "max(pokewatch_book_cards)"),
            stat(
                "Age of the look back",
                "Since the day up to which past answers were judged.",
                _age("pokewatch_monitoring_day_timestamp_seconds"),
                "s",
                [(4 * 86400, "bad")],
            ),
            DashboardPanel(
                "Age over time",
                "It falls when a new book is taken up.",
                [("pokewatch:data_age:seconds", "data"), ("pokewatch:book_age:seconds", "book")],
                "s",
                width=12,
            ),
            DashboardPanel(
                "Newest day as gateways see it",
                "Since the end of that day.",
                [
                    (
                        "time() - pokewatch_gateway_data_last_day_timestamp_seconds - 24 * 3600",
                        "{{instance}}",
                    )
                ],
                "s",
                width=12,
            ),
        ),
    ),
    DashboardRow(
        "Content",
        (
            DashboardPanel("Cards", "", [("max(pokewatch_book_cards)", "cards")]),
            DashboardPanel(
                "Statuses of the book",
                "Share of its cards; only those that are ok get a BUY or a SELL.",
                [("avg by (status) (pokewatch_book_status_ratio)", "{{status}}")],
                "percentunit",
            ),
            DashboardPanel(
                "Rows valued by status",
                "What was asked, a second.",
                [(_rate("pokewatch_rows_total", "status"), "{{status}}")],
            ),
        ),
    ),
    DashboardRow(
        "Deliveries",
        (
            DashboardPanel(
                "Loads of a book",
                "",
                [("sum by (outcome) (increase(pokewatch_book_loads_total[1h]))", "{{outcome}}")],
                width=12,
            ),
            DashboardPanel(
                "Changes of version",
                "As gateways saw them.",
                [
                    (
                        "sum by (instance) (increase(pokewatch_gateway_version_changes_total[1h]))",
                        "{{instance}}",
                    )
                ],
                width=12,
            ),
        ),
    ),
)
