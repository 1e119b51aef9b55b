"""The panels of the dashboards: a PromQL query each, with its description."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Quality = Literal["good", "bad"]
Query = tuple[str, str]  # expression, legend

# As in k8s/monitoring/rules/slo.yaml: the probes and the documentation do not count.
COUNTED = 'route!~"/health|/ready|/docs|/openapi.json|/v2/health/.+|/export.+|other"'


@dataclass(frozen=True, slots=True)
class DashboardPanel:
    """A panel of `width` out of 24 columns.

    `limits` are the values from which on the figure is good or bad; below the first it is `below`.
    """

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
    legend: str = "",
) -> DashboardPanel:
    """A panel with one current number, or one of each series that `legend` names."""
    queries = [(expression, legend)]
    return DashboardPanel(title, description, queries, unit, "stat", 6, limits, below)


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}[5m]))"


def _quantile(share: float, metric: str, by: str = "le", which: str = "") -> str:
    """`which` is a selector in braces, or nothing for all."""
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket{which}[5m])))"


def _age(moment: str) -> str:
    return f"time() - max by (market) ({moment})"


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
                "1 is the full budget, 0.1% of the valid requests; below 0 it is exceeded.",
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
                "Replicas that Prometheus can reach.",
                'sum(up{job="gateway"})',
                limits=[(1, "good")],
                below="bad",
            ),
            stat(
                "MLServers up",
                "Replicas that Prometheus can reach.",
                'sum(up{job="mlserver"})',
                limits=[(1, "good")],
                below="bad",
            ),
            DashboardPanel(
                "Requests that fail",
                "Share of the valid requests answered with a 5xx. The lines are the paging limits: "
                "6 and 14.4 times the budget.",
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
                "Share of all requests. The objective allows 5%; paged at 30% over 6 hours "
                "and 72% over an hour.",
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
                "Cards per second.",
                [
                    (
                        _rate("pokewatch_gateway_predictions_total", "market, signal"),
                        "{{market}} {{signal}}",
                    )
                ],
            ),
            DashboardPanel(
                "Answer cache",
                "Stale answers were cached and served while the model server was down.",
                [
                    (
                        _rate("pokewatch_gateway_cache_total", "market, result"),
                        "{{market}} {{result}}",
                    )
                ],
                "reqps",
            ),
            DashboardPanel(
                "Refused, and without a key",
                "By the limit of a key, an address or load; and without a valid key.",
                [
                    (_rate("pokewatch_gateway_limited_total", "by"), "limited by {{by}}"),
                    ("sum(rate(pokewatch_gateway_keyless_total[5m]))", "without a key"),
                ],
                "reqps",
            ),
            DashboardPanel(
                "Limits without Redis",
                "Limits checked in a gateway's own memory because Redis did not answer.",
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
                "One request to the model server.",
                [
                    (
                        _quantile(
                            0.95, "pokewatch_gateway_upstream_seconds", "le, market, upstream"
                        ),
                        "{{market}} {{upstream}}",
                    )
                ],
                "s",
            ),
            DashboardPanel(
                "Failed calls",
                "",
                [
                    (
                        _rate("pokewatch_gateway_upstream_failures_total", "market, upstream"),
                        "{{market}} {{upstream}}",
                    )
                ],
                "ops",
            ),
            DashboardPanel(
                "Breakers",
                "0 closed, 1 trying again, 2 open: the model server is left alone.",
                [
                    (
                        "max by (instance, market, upstream) (pokewatch_gateway_upstream_state)",
                        "{{instance}} {{market}} {{upstream}}",
                    )
                ],
                limits=[(1, "bad")],
            ),
            DashboardPanel(
                "Cards per call",
                "Rows that share one call to the model server; more when requests are concurrent.",
                [
                    (
                        "sum by (market) (rate(pokewatch_gateway_coalesced_rows_sum[5m]))"
                        " / sum by (market) (rate(pokewatch_gateway_coalesced_rows_count[5m]))",
                        "{{market}} mean",
                    )
                ],
            ),
            DashboardPanel(
                "Rows waiting",
                "Rows queued for a call, or in one.",
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
                "A sawtooth is a process that keeps restarting.",
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
        "Served models",
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
                "Versions that gateways see",
                "Model and data version of each gateway's newest answer.",
                [("pokewatch_gateway_served_info", "")],
                kind="table",
                width=12,
                valued=False,
            ),
        ),
    ),
    DashboardRow(
        "A new version in live traffic",
        (
            DashboardPanel(
                "Share of callers that the challenger answers",
                "0 without a canary.",
                [("max by (market) (pokewatch_gateway_canary_share)", "{{market}}")],
                "percentunit",
            ),
            DashboardPanel(
                "Requests by variant",
                "During canaries.",
                [
                    (
                        _rate("pokewatch_gateway_variant_requests_total", "market, variant")
                        + " or vector(0)",
                        "{{market}} {{variant}}",
                    )
                ],
                "reqps",
            ),
            DashboardPanel(
                "Answers compared with the other variant's",
                "The signal is the same or different, or there was nothing to compare with.",
                [
                    (
                        _rate("pokewatch_gateway_canary_compared_total", "market, result")
                        + " or vector(0)",
                        "{{market}} {{result}}",
                    )
                ],
                "ops",
            ),
            DashboardPanel(
                "Events logged",
                "What becomes of the events of POKEWATCH_EVENTS.",
                [
                    (
                        _rate("pokewatch_gateway_events_total", "result") + " or vector(0)",
                        "{{result}}",
                    )
                ],
                "ops",
            ),
        ),
    ),
    DashboardRow(
        "Quality",
        (
            DashboardPanel(
                "Coverage of the 90% interval",
                "Share of later prices inside it: in the evaluation, and measured since. "
                "The limits are 86% and 94%.",
                [("pokewatch:coverage_90:ratio", "{{market}}, {{measured}}")],
                "percentunit",
                limits=[(0.86, "good"), (0.94, "bad")],
                below="bad",
            ),
            DashboardPanel(
                "Error against the last price",
                "Below 1 the model is better than repeating the last price.",
                [("pokewatch:rmae_last:ratio", "{{market}}, {{measured}}")],
                limits=[(1.1, "bad")],
            ),
            DashboardPanel(
                "Mean error",
                "In percent, in the evaluation.",
                [('max by (market) (pokewatch_evaluation{metric="mape"})', "{{market}}")],
                "percent",
            ),
            DashboardPanel(
                "Every figure of the evaluation",
                "",
                [("max by (market, metric) (pokewatch_evaluation)", "")],
                kind="table",
                width=12,
            ),
            DashboardPanel(
                "Every figure of the monitoring runs",
                "Empty before the first monitoring run.",
                [("max by (market, metric) (pokewatch_monitoring)", "")],
                kind="table",
                width=12,
            ),
        ),
    ),
    DashboardRow(
        "Signals",
        (
            DashboardPanel(
                "Signals of the book",
                "Share of the cards valued on the newest day, at their market price.",
                [
                    (
                        "avg by (market, signal) (pokewatch_book_signal_ratio)",
                        "{{market}} {{signal}}",
                    )
                ],
                "percentunit",
            ),
            DashboardPanel(
                "Signals of the answers",
                "Share of the answers of six hours, where there were at least 500.",
                [("pokewatch:answers_6h:ratio", "{{market}} {{signal}}")],
                "percentunit",
            ),
            DashboardPanel(
                "Rows decided",
                "By the runtime, per second.",
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
                "Since the newest market day ended. The limit is 36 hours.",
                "pokewatch:data_age:seconds",
                "s",
                [(36 * 3600, "bad")],
                legend="{{market}}",
            ),
            stat(
                "Age of the book",
                "Since the pipeline created the served book.",
                "pokewatch:book_age:seconds",
                "s",
                [(30 * 3600, "bad")],
                legend="{{market}}",
            ),
            stat(
                "Cards",
                "In the served book.",
                "max by (market) (pokewatch_book_cards)",
                legend="{{market}}",
            ),
            stat(
                "Age of the monitoring run",
                "Since the last day of prices that was measured.",
                _age("pokewatch_monitoring_day_timestamp_seconds"),
                "s",
                [(4 * 86400, "bad")],
                legend="{{market}}",
            ),
            DashboardPanel(
                "Age over time",
                "It drops when a new book is loaded.",
                [
                    ("pokewatch:data_age:seconds", "{{market}}, data"),
                    ("pokewatch:book_age:seconds", "{{market}}, book"),
                ],
                "s",
                width=12,
            ),
            DashboardPanel(
                "Newest day seen by gateways",
                "Since the end of that day.",
                [
                    (
                        "time() - pokewatch_gateway_data_last_day_timestamp_seconds - 24 * 3600",
                        "{{instance}} {{market}}",
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
            DashboardPanel("Cards", "", [("max by (market) (pokewatch_book_cards)", "{{market}}")]),
            DashboardPanel(
                "Statuses of the book",
                "Share of its cards; only cards with status ok get a BUY or SELL.",
                [
                    (
                        "avg by (market, status) (pokewatch_book_status_ratio)",
                        "{{market}} {{status}}",
                    )
                ],
                "percentunit",
            ),
            DashboardPanel(
                "Rows valued by status",
                "Rows requested, per second.",
                [(_rate("pokewatch_rows_total", "market, status"), "{{market}} {{status}}")],
            ),
        ),
    ),
    DashboardRow(
        "Loads",
        (
            DashboardPanel(
                "Loads of a book",
                "",
                [("sum by (outcome) (increase(pokewatch_book_loads_total[1h]))", "{{outcome}}")],
                width=12,
            ),
            DashboardPanel(
                "Changes of version",
                "As seen by gateways.",
                [
                    (
                        "sum by (instance, market) (increase("
                        "pokewatch_gateway_version_changes_total[1h]))",
                        "{{instance}} {{market}}",
                    )
                ],
                width=12,
            ),
        ),
    ),
)
