"""A summary of how a file was read, in lines of text."""

from collections.abc import Iterator

import pyarrow.compute as pc

from pokewatch.market.tabular.price_table import PriceTable
from pokewatch.market.tabular.sheet import shortened
from pokewatch.wording import counted

_SAMPLE = 5
_LONGEST = 1e12  # prices from here on are shown without all their digits


def summary(table: PriceTable) -> Iterator[str]:
    """Yield how a file was read, its first rows, and what was left out."""
    yield f"read as {table.form}"
    yield from table.notes
    for field, column in table.columns.named.items():
        yield f"  {field}: column {shortened(column)}"
    if table.columns.days:
        yield f"  {counted(len(table.columns.days), 'column')} of days"
    if table.columns.other:
        yield f"  not used: {', '.join(map(shortened, table.columns.other))}"
    if table.dates:
        yield f"dates: {table.dates}"
    if table.decimal:
        yield f"numbers: {table.decimal}"
    yield from _content(table)
    yield from table.units()
    yield from table.merged()
    yield from map(str, table.left_out)


def _content(table: PriceTable) -> Iterator[str]:
    rows = table.prices.num_rows
    if not rows:
        yield "no row can be used"
        return
    days = table.prices["date"].unique().sort()
    currencies = ", ".join(table.prices["currency"].unique().sort().to_pylist())
    if table.assumed_currency:
        currencies += f" ({table.assumed_currency} where none is named: POKEWATCH_FILE_CURRENCY)"
    yield (
        f"prices: {rows:,}; cards: {table.cards.num_rows:,}; "
        f"days: {len(days):,}, {days[0]} to {days[-1]}; currency: {currencies}"
    )
    yield from _several_currencies(table)
    for row in table.prices.slice(0, _SAMPLE).to_pylist():
        yield f"  {row['date']}  {row['card_id']}  {_shown(row['market_price'])} {row['currency']}"


def _several_currencies(table: PriceTable) -> Iterator[str]:
    by_day = table.prices.group_by("date").aggregate([("currency", "count_distinct")])
    several = pc.sum(pc.greater(by_day["currency_count_distinct"], 1)).as_py()
    if several:
        yield (
            f"{several:,} of {counted(by_day.num_rows, 'day')} would be held: prices in several "
            "currencies cannot be compared; use a file for each currency"
        )


def _shown(price: float | None) -> str:
    if price is None:
        return "no price"
    return f"{price:,.2f}" if price < _LONGEST else f"{price:.4g}"
