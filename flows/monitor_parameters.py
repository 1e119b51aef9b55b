"""The parameters of monitoring."""

from datetime import date

from base import PokeWatchSpec
from metaflow import Parameter


class MonitorSpec(PokeWatchSpec):
    """Base of the monitoring flows."""

    days = Parameter(
        "days", default=400, help="Days of prices to measure and train on, up to the last."
    )
    last_day = Parameter(
        "to",
        default="",
        help="Last day, YYYY-MM-DD. Default: the last that the pipeline collected.",
    )

    def check(self) -> tuple[date | None, date | None]:
        from pokewatch.pipeline.parameters import check_monitor, parse_day

        check_monitor(days=self.days, last_day=self.last_day)
        return None, parse_day(self.last_day)
