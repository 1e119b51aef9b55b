"""Collect history, one month per task: `python backfill.py run --from DATE --to DATE`."""

from datetime import date
from typing import Any

from base import PokeWatchSpec
from metaflow import Parameter, card, current, kubernetes, project, retry, step, timeout

from pokewatch.notify import notify_failure, notify_success  # exit hooks, see base.py  # noqa: F401
from pokewatch.wording import counted


@project(name="pokewatch")
class PokeWatchBackfill(PokeWatchSpec):
    """Collect historical prices.

    1. split the days into months
    2. collect each month into a separate lake
    3. merge them into the lake in chronological order, without changing its days
    4. check the quality of the whole history
    """

    first_day = Parameter("from", required=True, help="First day, YYYY-MM-DD.")
    last_day = Parameter("to", required=True, help="Last day, YYYY-MM-DD.")

    def check(self) -> tuple[date | None, date | None]:
        from pokewatch.pipeline.parameters import check_backfill

        return check_backfill(first_day=self.first_day, last_day=self.last_day)

    @timeout(minutes=10)
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def start(self) -> None:
        """Split the days into months."""
        from pokewatch.pipeline.backfill import months
        from pokewatch.pipeline.parameters import check_backfill

        self.months = months(*check_backfill(first_day=self.first_day, last_day=self.last_day))
        self.next(self.collect, foreach="months")

    @timeout(hours=6)
    @retry(times=3, minutes_between_retries=5)
    @kubernetes(cpu=1, memory=4096, disk=20480)
    @step
    def collect(self) -> None:
        """Collect one month."""
        from pokewatch.pipeline.backfill import collect_month

        self.version = collect_month(self.source_name(), self.input, **self.market_of_source())
        self.next(self.merge)

    @timeout(hours=2)
    @retry(times=2)
    @kubernetes(cpu=1, memory=8192, disk=40960)
    @step
    def merge(self, inputs: Any) -> None:
        """Merge the months into the lake."""
        from pokewatch.pipeline.backfill import merge_months

        self.collected = merge_months(
            self.source_name(), [each.version for each in inputs], **self.market_of_source()
        )
        self.next(self.validate)

    @card(type="blank")
    @timeout(hours=2)
    @retry(times=1)
    @kubernetes(cpu=1, memory=4096, disk=40960)
    @step
    def validate(self) -> None:
        """Check the quality of the whole history."""
        from cards import quality_card

        from pokewatch.pipeline.collect import daily_figures, validate

        self.checks = validate(self.collected)
        current.card.extend(
            quality_card(self.collected, self.checks, daily_figures(self.collected))
        )
        self.next(self.end)

    @timeout(minutes=10)
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def end(self) -> None:
        """Print the result."""
        failed = [check.name for check in self.checks if not check.passed]
        written = counted(len(self.collected.report["written"]), "day")
        print(
            f"{written} written to version {self.collected.raw_version}; failed checks: "
            f"{', '.join(failed) or 'none'}"
        )


if __name__ == "__main__":
    PokeWatchBackfill()
