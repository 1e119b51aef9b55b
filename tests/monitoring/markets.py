"""Panels of the simulated market, quiet or with a planted change."""

import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pyarrow.compute as pc

from pokewatch.market.lake import Lake
from pokewatch.market.sources.simulated import SimulatedSource
from pokewatch.market.sources.simulated_process import Regime
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.processed import process, read_processed

START = date(2025, 1, 1)


def fill(
    lake: Lake, cards: int, seed: int, days: Sequence[date], regimes: Sequence[Regime] = ()
) -> None:
    """Put the simulated prices of the days into a lake, whichever market's it is."""
    source = SimulatedSource(cards, seed, regimes)
    for batch in source.prices(days):
        for day in batch.days:
            lake.write_day(day, batch.prices.filter(pc.equal(batch.prices["date"], day)))
    lake.write_catalog(source.catalog())


def market(
    cards: int, seed: int, days: int, regimes: Sequence[Regime] = (), changed: date | None = None
) -> Panel:
    """The panel of that many days from START on."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        dates = [START + timedelta(days=day) for day in range(days)]
        fill(lake, cards, seed, dates, regimes)
        process(lake, dates[0], dates[-1], 0, 1, Path(folder) / "out", changed)
        return read_processed(Path(folder) / "out")
