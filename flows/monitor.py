"""Daily monitoring of the champion: `python monitor.py run`."""

from pathlib import Path

from base import OneSchedule
from branches import branch_options
from metaflow import card, current, kubernetes, project, retry, schedule, step, timeout
from monitor_parameters import MonitorSpec

from pokewatch.notify import notify_failure, notify_success  # exit hooks, see base.py  # noqa: F401


@OneSchedule
@project(name="pokewatch")
@schedule(cron="0 6 * * *")
class PokeWatchMonitor(MonitorSpec):
    """Compare past estimates with later prices, some hours after the daily pipeline.

    1. select the prices
    2. measure: compare the estimates made 7 and 30 days ago with the prices since, those of a
       model in an experiment too, and check whether incoming prices have drifted
    3. act: send notifications of failed checks, promote the model that won an experiment, and
       retrain the models where it helps
    """

    @timeout(minutes=10)
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def start(self) -> None:
        """Select the prices."""
        from pokewatch.pipeline.monitored_market import Market
        from pokewatch.pipeline.parameters import parse_day

        self.prices = Market(
            self.source_name(),
            days=self.days,
            last_day=parse_day(self.last_day),
            market=self.named_market(),
            **self.market_of_source(),
        )
        self.next(self.measure)

    @card(type="blank")
    @timeout(hours=2)
    @retry(times=1)
    @kubernetes(cpu=2, memory=8192, disk=20480)
    @step
    def measure(self) -> None:
        """Measure the champion, and store the result."""
        from monitor_cards import monitor_card

        from pokewatch.pipeline.monitor import measure_market
        from pokewatch.registry import Registry
        from pokewatch.settings import MonitorSettings

        self.found = measure_market(self.prices)
        limits = MonitorSettings.read()
        edges = (limits.monitor_coverage_low, limits.monitor_coverage_high, limits.monitor_drift)
        registry = Registry()
        facts = registry.open_book(registry.version(self.found.version)).facts
        self.measured_market = facts.market
        current.card.extend(monitor_card(facts.market, facts.currency, self.found, edges))
        self.next(self.act)

    @card(type="blank")
    @timeout(hours=8)
    @retry(times=0)
    @kubernetes(cpu=0.5, memory=2048, disk=20480)
    @step
    def act(self) -> None:
        """Send notifications, promote a model that won, and retrain the models if that is due."""
        from monitor_cards import action_card, events_card, experiment_card

        from pokewatch.pipeline.monitor import decide, logged_events, retrain, settle_experiment

        self.action = decide(self.prices, self.found)
        current.card.extend(action_card(self.measured_market, self.action.retrain, self.action.why))
        self.promotion, self.experiment = settle_experiment()
        current.card.extend(experiment_card(self.experiment, self.promotion))
        self.events = logged_events(self.measured_market, self.found.measured_on)
        current.card.extend(events_card(self.events))
        if self.action.retrain:
            print(f"retraining the models: {self.action.why}")
            flow = [str(Path(__file__).with_name("flow.py")), *branch_options()]
            retrain(self.prices, self.found.measured_on, flow)
        self.next(self.end)

    @timeout(minutes=10)
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def end(self) -> None:
        """Print the result."""
        failed = ", ".join(check.name for check in self.found.failed) or "no check"
        print(f"model version {self.found.version} on {self.found.measured_on}: {failed} failed")
        print(f"retrained: {'yes' if self.action.retrain else 'no'}; {self.action.why}")


if __name__ == "__main__":
    PokeWatchMonitor()
