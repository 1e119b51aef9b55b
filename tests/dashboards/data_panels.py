"""The panels of the data's dashboard."""

from tests.dashboards.panels import DashboardPanel, DashboardRow, age, rate, stat

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
                age("pokewatch_monitoring_day_timestamp_seconds"),
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
                [(rate("pokewatch_rows_total", "market, status"), "{{market}} {{status}}")],
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
