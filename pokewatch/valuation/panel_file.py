"""Panels of user-supplied files, read as the source `file` reads them."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pokewatch.checks import failures
from pokewatch.errors import SourceError, ValuationError
from pokewatch.market.collect_report import CollectReport
from pokewatch.market.quality.cleaning import clean_rows, too_high
from pokewatch.market.quality.days import QualityThresholds, held_days
from pokewatch.market.quality.measures import unusable_by_day
from pokewatch.market.sources.file import FileSource
from pokewatch.market.tabular.price_table import PriceTable
from pokewatch.settings import QualitySettings, SourceSettings
from pokewatch.valuation.panel import OPTIONAL, Panel, panel_from_table
from pokewatch.wording import counted

_CARD_COLUMNS = ("set_id", "rarity", "printing", "released")

Warn = Callable[[str], object]


def read_panel(path: Path, warn: Warn = lambda _: None) -> Panel:
    """Return the panel of a file: text in any common form, a workbook or Parquet.

    `warn` is called with each part of the file that is not read, or whose meaning is assumed. Raise
    ValuationError for a file that cannot be read, or that has no prices.
    """
    source = FileSource(SourceSettings.read(), path)
    try:
        found, warnings = source.table, source.warnings
    except SourceError as error:
        raise ValuationError(str(error)) from error
    if not found.prices.num_rows:
        left_out = "; ".join(map(str, found.left_out[:3]))
        raise ValuationError(f"{path} has no row that can be used: {left_out or 'there are none'}")
    for each in warnings:
        warn(each)
    table = _usable(path, found, warn)
    table = table.select(["card_id", "date", "market_price", *OPTIONAL, "currency"])
    card = pc.index_in(table["card_id"], value_set=found.cards["card_id"].combine_chunks())
    for name in _CARD_COLUMNS:
        table = table.append_column(name, found.cards[name].take(card))
    for name in OPTIONAL:
        if table[name].null_count == table.num_rows:
            table = table.drop_columns([name])
    return panel_from_table(table)


def _usable(path: Path, found: PriceTable, warn: Warn) -> pa.Table:
    """Return the rows and values that a collection of the file would use.

    Days that it would hold back are used and named in a warning. Raise ValuationError where there
    are no rows.
    """
    thresholds = QualityThresholds.of(QualitySettings.read(), "file")
    prices, changes = clean_rows(found.prices, thresholds.max_price)
    for reason, count in changes.items():
        warn(f"{reason} ({count:,})")
    high = too_high(prices, thresholds.max_price)
    if count := pc.sum(high).as_py():
        rows = counted(count, "row")
        first = prices.filter(high).slice(0, 1).to_pylist()[0]
        warn(
            f"{rows} left out: market_price is not a price up to {thresholds.max_price:,.0f} "
            f"(first: {first['card_id']} on {first['date']}: '{first['market_price']}')"
        )
    rejected = Counter(prices["date"].filter(high).to_pylist()) + unusable_by_day(found.rejected)
    prices = prices.filter(pc.invert(high))
    if not prices.num_rows:
        raise ValuationError(f"{path} has no row that can be used: every price is too high")
    if held := held_days(prices, rejected, thresholds, datetime.now(UTC).date()):
        days = tuple(prices["date"].unique().to_pylist())
        why = failures(CollectReport("file", days, held=held).held_checks())
        warn(f"a collection would hold back {len(held)} of {len(days)} days: {why}")
    return prices
