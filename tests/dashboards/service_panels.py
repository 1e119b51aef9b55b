"""The panels of the service's dashboard."""

from tests.dashboards.panels import COUNTED, DashboardPanel, DashboardRow, quantile, rate, stat

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
                [(rate("pokewatch_gateway_requests_total", "route"), "{{route}}")],
                "reqps",
            ),
            DashboardPanel(
                "Requests by status",
                "",
                [(rate("pokewatch_gateway_requests_total", "status"), "{{status}}")],
                "reqps",
            ),
            DashboardPanel(
                "Time to answer",
                "From a request's headers to its answer.",
                [
                    (quantile(share, _TIMES, which=f"{{{COUNTED}}}"), f"p{share * 100:g}")
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
                        rate("pokewatch_gateway_predictions_total", "market, signal"),
                        "{{market}} {{signal}}",
                    )
                ],
            ),
            DashboardPanel(
                "Answer cache",
                "Stale answers were cached and served while the model server was down.",
                [
                    (
                        rate("pokewatch_gateway_cache_total", "market, result"),
                        "{{market}} {{result}}",
                    )
                ],
                "reqps",
            ),
            DashboardPanel(
                "Refused, and without a key",
                "By the limit of a key, an address or load; and without a valid key.",
                [
                    (rate("pokewatch_gateway_limited_total", "by"), "limited by {{by}}"),
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
                        quantile(
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
                        rate("pokewatch_gateway_upstream_failures_total", "market, upstream"),
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
                [(quantile(0.95, "pokewatch_request_seconds", "le, model"), "{{model}}")],
                "s",
            ),
            DashboardPanel(
                "Requests by status",
                "As MLServer counts them, probes included.",
                [(rate("rest_server_requests_total", "status_code"), "{{status_code}}")],
                "reqps",
            ),
            DashboardPanel(
                "Malformed requests",
                "",
                [(rate("pokewatch_refused_requests_total", "model"), "{{model}}")],
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
