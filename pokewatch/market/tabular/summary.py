"""A summary of how a file was read, in lines of text."""

from collections.abc import Iterator

from pokewatch.market.tabular.price_table import PriceTable
from pokewatch.market.tabular.sheet import shortened

_SAMPLE = 5


def summary(table: PriceTable) -> Iterator[str]:
    """Yield how a file was read, its first rows, and what was left out."""
    yield f"read as {table.form}"
    yield from table.notes
    for field, column in table.columns.named.items():
        yield f"  {field}: column {shortened(column)}"
    if table.columns.days:
        yield f"  {len(table.columns.days)} columns of days"
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
    for row in table.prices.slice(0, _SAMPLE).to_pylist():
        price = "no price" if row["market_price"] is None else f"{row['market_price']:,.2f}"
        yield f"  {row['date']}  {row['card_id']}  {price} {row['currency']}"
