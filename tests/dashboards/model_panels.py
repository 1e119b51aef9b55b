"""The panels of the models' dashboard."""

from tests.dashboards.panels import DashboardPanel, DashboardRow, rate

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
                        rate("pokewatch_gateway_variant_requests_total", "market, variant")
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
                        rate("pokewatch_gateway_canary_compared_total", "market, result")
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
                        rate("pokewatch_gateway_events_total", "result") + " or vector(0)",
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
                [(rate("pokewatch_decisions_total", "signal"), "{{signal}}")],
            ),
        ),
    ),
)
