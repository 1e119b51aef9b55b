"""A user's table as price rows and card rows, with every row that is left out and why."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pokewatch.market.prices import PRICE_COLUMNS, PRICE_SCHEMA
from pokewatch.market.tabular.cards import card_rows
from pokewatch.market.tabular.columns import Columns, find_columns
from pokewatch.market.tabular.options import TableOptions
from pokewatch.market.tabular.row_reader import LeftOut, RowReader
from pokewatch.market.tabular.rows import check_key, merged_duplicates
from pokewatch.market.tabular.sheet import Sheet
from pokewatch.market.tabular.wide import long_sheet


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Price rows sorted by date and card, rows left out, cards, and how the file was read."""

    prices: pa.Table  # PRICE_SCHEMA
    rejected: pa.Table  # REJECTED_SCHEMA
    cards: pa.Table  # CARD_SCHEMA
    left_out: tuple[LeftOut, ...]
    form: str
    columns: Columns
    dates: str
    decimal: str
    repeated: int  # identical rows merged into one
    stale_days: (
        NDArray[np.float64] | None
    )  # [m] of `prices`: days since the source renewed the quote


def read_price_table(
    sheet: Sheet, options: TableOptions, source: str, today: date, observed_at: datetime
) -> PriceTable:
    """Return the prices of a sheet. Raises TableError where the table as a whole cannot be read.

    A cell that cannot be read costs its row, or its field where the market price is there.
    """
    columns = find_columns(sheet.names, options.columns)
    if columns.days:
        sheet, columns = long_sheet(sheet, columns)
    reader = RowReader(sheet, columns, options)
    days = reader.days(today)
    numbers = reader.numbers()
    currency = reader.currencies()
    card_id, raw_id = reader.card_ids()
    market = numbers["market_price"]
    quoted = np.any(
        [np.isfinite(values) for name, values in numbers.items() if name in PRICE_COLUMNS], axis=0
    )
    reader.refuse(
        "market_price is a placeholder, and the row has no other price",
        ~quoted & reader.placeholder,
    )
    good = ~reader.bad
    kept, repeated, conflicts = merged_duplicates(card_id, days, numbers, good)
    if len(conflicts):
        check_key(sheet, columns, card_id, days, market, conflicts)
        reader.refuse("another row gives this card another price for the day", conflicts)
        kept &= ~reader.bad
    order = np.lexsort((card_id, days))
    order = order[kept[order]]
    rows = len(order)
    table: dict[str, Any] = {
        "card_id": pa.array(card_id[order].tolist(), pa.string()),
        "date": pa.array(days[order], pa.date32()),
        **{
            name: pa.array(numbers[name][order], pa.float64(), from_pandas=True)
            for name in PRICE_COLUMNS
            if name in numbers
        },
        "currency": pa.array(currency[order].tolist(), pa.string()),
        "source": pa.repeat(source, rows),
        "observed_at": pa.repeat(pa.scalar(observed_at, pa.timestamp("us", tz="UTC")), rows),
    }
    if "volume" in numbers:
        table["volume"] = pa.array(numbers["volume"][order], pa.float64(), from_pandas=True).cast(
            pa.int32()
        )
    prices = pa.table(
        {
            name: table.get(name, pa.nulls(rows, PRICE_SCHEMA.field(name).type))
            for name in PRICE_SCHEMA.names
        }
    )
    return PriceTable(
        prices.cast(PRICE_SCHEMA),
        reader.rejected(days, card_id),
        card_rows(sheet, columns, card_id, raw_id, order),
        reader.left_out(),
        sheet.form,
        columns,
        reader.date_convention,
        reader.decimal_convention,
        repeated,
        numbers["stale_days"][order] if "stale_days" in numbers else None,
    )
