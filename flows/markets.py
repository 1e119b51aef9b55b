"""The daily pipeline of several markets: `python markets.py run --market A,B`."""

from collections.abc import Mapping
from typing import Any

from base import configured_markets
from daily_parameters import DailySpec
from each_market import EachMarket
from metaflow import Parameter, project, schedule

from pokewatch.notify import notify_failure, notify_success  # exit hooks, see base.py  # noqa: F401


@project(name="pokewatch")
@schedule(cron="0 2 * * *")
class PokeWatchMarkets(EachMarket, DailySpec):
    """Run the daily pipeline of every market, each in a run of its own."""

    market = Parameter(
        "market",
        default=configured_markets,
        help="Comma-separated markets. Default: POKEWATCH_MARKETS.",
    )

    def child_flow(self) -> tuple[str, str]:
        return "flow.py", "PokeWatchFlow"

    def child_parameters(self) -> Mapping[str, Any]:
        return {
            "days": self.days,
            "to": self.last_day,
            "cards": self.cards,
            "horizon": self.horizon,
            "other-horizons": self.other_horizons,
            "candidates": self.candidates,
            "replace": self.replace,
            "shards": self.shards,
            "tidy": False,  # once, when all have ended
        }


if __name__ == "__main__":
    PokeWatchMarkets()
