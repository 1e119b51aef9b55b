"""The market of a monitoring run, and its newest prices."""

import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from pokewatch.errors import LakeError
from pokewatch.market.lake import Lake
from pokewatch.market.latest_version import LatestVersions
from pokewatch.market.sources import Source, open_source
from pokewatch.settings import Home
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.processed import process, read_processed


@dataclass(frozen=True, slots=True)
class Market:
    """The prices of a monitoring run: their source and its options, and the days up to the last.

    `market` is the named market, "" for the only one of the home.
    """

    source: str
    days: int
    cards: int = 1000
    seed: int = 0
    path: Path | None = None
    categories: str | None = None
    last_day: date | None = None
    market: str = ""

    @property
    def id(self) -> str:
        """The id of the market, named or not."""
        return self.open().market

    def open(self) -> Source:
        """Return the source of the prices."""
        return open_source(
            self.source,
            cards=self.cards,
            seed=self.seed,
            path=self.path,
            categories=self.categories,
        )

    def parameters(self) -> dict[str, str]:
        """Return the parameters of `flow.py` for the same market."""
        given = {"days": str(self.days), "cards": str(self.cards)}
        if self.market:
            given |= {"market": self.market}
        else:
            given |= {"source": self.source, "seed": str(self.seed)}
            given |= {"file": str(self.path)} if self.path else {}
            given |= {"categories": self.categories} if self.categories else {}
        return given | ({"to": self.last_day.isoformat()} if self.last_day else {})


def newest_prices(market: Market, changed: date | None = None) -> Panel:
    """Return the panel of the newest days in the market's lake, restored if missing.

    Raise LakeError where there are no prices.
    """
    home, opened = Home.read(), market.open()
    lake = Lake(home.lakes / opened.lake_name)
    LatestVersions().restore(lake)
    days = [day for day in lake.days() if market.last_day is None or day <= market.last_day]
    if not days:
        name, until = opened.lake_name, f" up to {market.last_day}" if market.last_day else ""
        remedy = "use a later day" if lake.days() else "use the options of the pipeline's run"
        raise LakeError(f"{name} has no prices{until}: {remedy}")
    first = max(days[0], days[-1] - timedelta(days=market.days - 1))
    with tempfile.TemporaryDirectory(prefix=".monitor-", dir=home.home) as scratch:
        process(lake, first, days[-1], 0, 1, Path(scratch), changed)
        return read_processed(Path(scratch))
