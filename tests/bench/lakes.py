"""Large lakes for benchmarks, written faster than a collection would.

A small simulated market is repeated under other ids and in other sets, each time at another level
of prices. So a lake of 200,000 cards costs the simulation of 10,000.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.market.collect_report import CollectReport
from pokewatch.market.lake import Lake
from pokewatch.market.latest_version import LatestVersions
from pokewatch.market.prices import PRICE_SCHEMA
from pokewatch.market.sources.simulated import SimulatedSource
from pokewatch.pipeline.collect import Collected
from pokewatch.settings import Home

SIMULATED = 10_000  # cards at most; the others repeat them
_SPREAD = 0.05  # of the log price, from one copy to the next
_PRICES = ("market_price", "low_price", "mid_price", "high_price")
_NAMED = {"card_id": "c{}-", "slug": "c{}_", "set_id": "s{}-", "set_name": "{} "}


def collected_lake(cards: int, days: int, seed: int) -> Collected:
    """Write a market of a multiple of SIMULATED cards, or of fewer, and store it as a version."""
    simulated = min(cards, SIMULATED)
    copies, rest = divmod(cards, simulated)
    if rest:
        raise ValueError(f"cards must be a multiple of {SIMULATED}, got {cards}")
    source = SimulatedSource(simulated, seed)
    lake = Lake(Home.read().lakes / f"simulated-{cards}-{seed}")
    last = datetime.now(UTC).date() - timedelta(days=1)
    wanted = [last - timedelta(days=back) for back in reversed(range(days))]
    lake.write_catalog(_catalog(source.catalog(), copies))
    for day, table in _days(source, wanted):
        path = lake.raw / "prices" / day.isoformat() / "part.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(_prices(table.sort_by("card_id"), copies), path, compression="zstd")
    version = LatestVersions().save(lake)
    report = CollectReport(source.name, tuple(wanted)).to_json()
    return Collected(source.name, source.market, version, wanted[0], last, report, ())


def _days(source: SimulatedSource, wanted: list[date]) -> Iterator[tuple[date, pa.Table]]:
    for batch in source.prices(wanted):
        for day in batch.days:
            yield day, batch.prices.filter(pc.equal(batch.prices["date"], pa.scalar(day)))


def _catalog(cards: pa.Table, copies: int) -> pa.Table:
    tables = []
    for copy in range(copies):
        table = cards
        for name, prefix in _NAMED.items():
            table = _replaced(table, name, _prefixed(table[name], prefix.format(f"{copy:02d}")))
        tables.append(table)
    return pa.concat_tables(tables).cast(CARD_SCHEMA)


def _prices(day: pa.Table, copies: int) -> pa.Table:
    tables = []
    for copy in range(copies):
        table = _replaced(
            day, "card_id", _prefixed(day["card_id"], _NAMED["card_id"].format(f"{copy:02d}"))
        )
        for name in _PRICES:
            level = float(np.exp(_SPREAD * copy))
            table = _replaced(table, name, pc.round(pc.multiply(table[name], level), 2))
        tables.append(table)
    return pa.concat_tables(tables).cast(PRICE_SCHEMA).combine_chunks()


def _prefixed(column: pa.ChunkedArray, prefix: str) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(prefix, column, "")


def _replaced(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, column)
