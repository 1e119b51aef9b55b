"""Daily monitoring of several markets: `python monitors.py run --market A,B`."""

from collections.abc import Mapping
from typing import Any

from base import configured_markets
from each_market import EachMarket
from metaflow import Parameter, project, schedule
from monitor_parameters import MonitorSpec

from pokewatch.notify import notify_failure, notify_success  # exit hooks, see base.py  # noqa: F401


@project(name="pokewatch")
@schedule(cron="0 6 * * *")
class PokeWatchMonitors(EachMarket, MonitorSpec):
    """Run the monitoring of every market, each in a run of its own."""

    market = Parameter(
        "market",
        default=configured_markets,
        help="Comma-separated markets. Default: POKEWATCH_MARKETS.",
    )

    def child_flow(self) -> tuple[str, str]:
        return "monitor.py", "PokeWatchMonitor"

    def child_parameters(self) -> Mapping[str, Any]:
        return {"days": self.days, "to": self.last_day, "cards": self.cards}


if __name__ == "__main__":
    PokeWatchMonitors()
