"""The daily look at the models: `python monitor.py run` measures what they said against what came."""

from datetime import date
from pathlib import Path

from base import PokeWatchSpec, branch_options
from metaflow import (
    Parameter,
    card,
    current,
    kubernetes,
    namespaced_event_name,
    project,
    retry,
    schedule,
    step,
    timeout,
)

from pokewatch.notify import tell_failure, tell_success  # the exit hooks that base names  # noqa: F401


@project(name="pokewatch")
@schedule(cron="0 6 * * *")
class PokeWatchMonitor(PokeWatchSpec):
    """Whether the models that serve can still be trusted, hours after the daily pipeline.

    1. settle which prices are looked at
    2. look: what was said 7 and 30 days ago against what came, and whether the prices coming in have drifted
    3. act: tell people what is wrong and, where training mends it, train the models again
    """

    days = Parameter(
        "days", default=400, help="Days of prices to look at, up to the last, and to train on."
    )
    last_day = Parameter(
        "to",
        default="",
        help="The last day, YYYY-MM-DD. Default: the last that the pipeline has collected.",
    )

    def check(self) -> tuple[date | None, date | None]:
        from pokewatch.pipeline.parameters import check_monitor, parse_day

        check_monitor(days=self.days, last_day=self.last_day)
        return None, parse_day(self.last_day)

    @timeout(minutes=10)
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def start(self) -> None:
        """Settle which prices are looked at."""
        from pokewatch.pipeline.monitor import Market
        from pokewatch.pipeline.parameters import parse_day

        self.market = Market(
            self.source,
            days=self.days,
            last_day=parse_day(self.last_day),
            **self.market_of_source(),
        )
        self.next(self.look)

    @card(type="blank")
    @timeout(hours=2)
    @retry(times=1)
    @kubernetes(cpu=2, memory=8192, disk=20480)
    @step
    def look(self) -> None:
        """Measure, keep what was found, and show it."""
        from cards import monitor_card

        from pokewatch.pipeline.monitor import look
        from pokewatch.settings import MonitorSettings

        self.found = look(self.market)
        limits = MonitorSettings.read()
        edges = (limits.monitor_coverage_low, limits.monitor_coverage_high, limits.monitor_drift)
        current.card.extend(monitor_card(self.source, self.found, edges))
        self.next(self.act)

    @card(type="blank")
    @timeout(hours=8)
    @retry(times=0)
    @kubernetes(cpu=0.5, memory=2048, disk=4096)
    @step
    def act(self) -> None:
        """Tell people what is wrong; have the models trained again where that is due."""
        from cards import action_card

        from pokewatch.pipeline.monitor import EVENT, decide, retrain

        self.action = decide(self.market, self.found)
        current.card.extend(action_card(self.action.retrain, self.action.why))
        if self.action.retrain:
            print(f"the models are trained again: {self.action.why}")
            flow = [str(Path(__file__).with_name("flow.py")), *branch_options()]
            retrain(self.market, self.found.measured_on, flow, namespaced_event_name(EVENT))
        self.next(self.end)

    @timeout(minutes=10)
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def end(self) -> None:
        """Say what came of it."""
        failed = ", ".join(check.name for check in self.found.failed) or "no check"
        print(f"model version {self.found.version} on {self.found.measured_on}: {failed} failed")
        print(f"trained again: {'yes' if self.action.retrain else 'no'}; {self.action.why}")


if __name__ == "__main__":
    PokeWatchMonitor()
