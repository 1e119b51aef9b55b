"""A user's table as price rows and card rows, with every row that is left out and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.market.prices import PRICE_SCHEMA
from pokewatch.market.tabular.cards import card_rows
from pokewatch.market.tabular.columns import NUMERIC_FIELDS, Columns, find_columns
from pokewatch.market.tabular.keys import QuotedRows, check_key
from pokewatch.market.tabular.kinds import check_kinds, check_times
from pokewatch.market.tabular.options import TableOptions
from pokewatch.market.tabular.row_reader import IDENTITIES, LeftOut, RowReader
from pokewatch.market.tabular.rows import (
    last_of_day,
    merged_duplicates,
    without_less_complete,
)
from pokewatch.market.tabular.sheet import Sheet, shortened
from pokewatch.market.tabular.uneven_lines import without_cut_lines
from pokewatch.market.tabular.wide import long_sheet


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Price rows sorted by date and card, rows left out, cards, and how the file was read."""

    prices: pa.Table  # PRICE_SCHEMA
    rejected: pa.Table  # REJECTED_SCHEMA
    cards: pa.Table  # CARD_SCHEMA
    left_out: tuple[LeftOut, ...]
    form: str
    notes: tuple[str, ...]
    columns: Columns
    dates: str
    decimal: str
    assumed_currency: str  # of rows that name none, "" if all do
    repeated: int  # rows merged into one that has all of their values
    superseded: int  # rows of a card and day that has a later one
    quotes_a_day: int  # the most times of a card and day
    whole_prices: bool  # no market price has a decimal, and nothing names its unit
    cents: tuple[str, ...]  # columns of prices that were in cents

    def units(self) -> Iterator[str]:
        """Yield which columns are in cents, or that prices without decimals may be."""
        if self.cents:
            yield f"in cents, divided by 100: {', '.join(map(shortened, self.cents))}"
        prices = pc.min_max(self.prices["market_price"]).as_py()
        if self.whole_prices and prices["min"] is not None:
            yield (
                f"every market price is a whole number, {prices['min']:,.0f} to "
                f"{prices['max']:,.0f} {self.prices['currency'][0]}; if these are cents, "
                "set POKEWATCH_FILE_UNIT=cents"
            )

    def merged(self) -> Iterator[str]:
        """Yield how several rows of a card and day became one."""
        if self.superseded:
            yield (
                f"up to {self.quotes_a_day} quotes a day, the last of each UTC day is kept "
                f"(earlier rows not used: {self.superseded:,})"
            )
        if self.repeated:
            yield f"rows merged with one that has all of their values: {self.repeated:,}"


def read_price_table(
    sheet: Sheet, options: TableOptions, source: str, today: date, observed_at: datetime
) -> PriceTable:
    """Return the prices of a sheet. Raise TableError where the table as a whole cannot be read.

    A cell that cannot be read costs its row, or its field where the market price is there.
    """
    columns = find_columns(sheet.names, options.columns, options.key)
    sheet, columns = _uniform(sheet, columns, options)
    reader = RowReader(sheet, columns, options)
    (days, moments), numbers = reader.days(today), reader.numbers()
    currency = reader.currencies()
    card_id, card, raw_id = reader.card_ids()
    reader.refuse_placeholders()
    reader.refuse_unclear_times(card_id, days)
    market, usable = numbers["market_price"], ~reader.bad
    quoted = QuotedRows(sheet, columns, card_id, card, days, market, currency)
    last, quotes_a_day = last_of_day(card_id, days, moments, market, usable)
    superseded = int(usable.sum() - last.sum())
    if superseded:
        check_times(quoted, np.flatnonzero(usable))
    order = np.lexsort((card, days))
    stays, repeated, conflicts = merged_duplicates(card, days, numbers, currency, last, order)
    if len(conflicts):
        check_key(quoted, conflicts)
        conflicts, lacking = without_less_complete(card, days, numbers, currency, conflicts)
        stays[lacking] = False
        repeated += len(lacking)
        reader.refuse("another row gives this card another price for the day", conflicts)
        stays &= ~reader.bad
    order = order[stays[order]]
    check_kinds(quoted, order)
    rows = _price_rows(card_id, days, numbers, currency, order)
    return PriceTable(
        _with_provenance(rows, source, observed_at),
        reader.rejected(days, card_id),
        card_rows(sheet, columns, card_id, card, raw_id, order),
        reader.left_out(),
        sheet.form,
        (*sheet.notes, *reader.notes),
        columns,
        reader.date_convention,
        reader.decimal_convention,
        reader.assumed_currency,
        repeated,
        superseded,
        quotes_a_day,
        reader.whole_prices,
        tuple(reader.cents),
    )


def _uniform(sheet: Sheet, columns: Columns, options: TableOptions) -> tuple[Sheet, Columns]:
    """Return a sheet with a row a card and day, each of which has the columns that it needs."""
    identity = next(name for name in IDENTITIES if name in columns.named)
    fields = [name for name in (identity, "date", "market_price") if name in columns.named]
    needed = [*(columns.named[name] for name in fields), *options.key]
    sheet = without_cut_lines(sheet, map(sheet.names.index, needed))
    return long_sheet(sheet, columns) if columns.days else (sheet, columns)


def _price_rows(
    card_id: NDArray[np.str_],
    days: NDArray[np.datetime64],
    numbers: Mapping[str, NDArray[np.float64]],
    currency: NDArray[np.str_],
    order: NDArray[np.int64],
) -> dict[str, pa.Array]:
    rows = {
        "card_id": pa.array(card_id[order].tolist(), pa.string()),
        "date": pa.array(days[order], pa.date32()),
        "currency": pa.array(currency[order].tolist(), pa.string()),
    }
    for name in NUMERIC_FIELDS:
        if name in numbers:
            rows[name] = pa.array(numbers[name][order], pa.float64(), from_pandas=True)
    return rows


def _with_provenance(rows: Mapping[str, pa.Array], source: str, observed_at: datetime) -> pa.Table:
    """Return the rows as PRICE_SCHEMA, null where the file has no such column."""
    count = len(rows["card_id"])
    provenance = {
        "source": pa.repeat(source, count),
        "observed_at": pa.repeat(pa.scalar(observed_at, pa.timestamp("us", tz="UTC")), count),
    }
    columns = {**rows, **provenance}
    return pa.table(
        {
            field.name: columns.get(field.name, pa.nulls(count, field.type)).cast(field.type)
            for field in PRICE_SCHEMA
        },
        schema=PRICE_SCHEMA,
    )
