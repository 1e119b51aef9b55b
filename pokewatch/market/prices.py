"""The price row: one card on one day. Key (card_id, date).

All prices are in `currency`. `avg7_price` and `avg30_price` are the mean prices of the sales of the
7 and 30 days up to `date`, where the source reports them; `volume` is the number of sales on the
day; `stale_days` is the age of the market price in days, 0 on a day it was renewed; `date` is the
UTC market day; `observed_at` is the time of collection.
"""

import pyarrow as pa

from pokewatch import contract
from pokewatch.errors import PriceSchemaError

CARD_ID_PATTERN = f"^{contract.CARD_ID_PATTERN}$"
CURRENCIES = ("USD", "EUR")
PRICE_COLUMNS = (
    "market_price",
    "low_price",
    "mid_price",
    "high_price",
    "avg7_price",
    "avg30_price",
)

PRICE_SCHEMA = pa.schema(
    [
        pa.field("card_id", pa.string(), nullable=False),
        pa.field("date", pa.date32(), nullable=False),
        pa.field("market_price", pa.float64()),
        pa.field("low_price", pa.float64()),
        pa.field("mid_price", pa.float64()),
        pa.field("high_price", pa.float64()),
        pa.field("avg7_price", pa.float64()),
        pa.field("avg30_price", pa.float64()),
        pa.field("volume", pa.int32()),
        pa.field("stale_days", pa.int32()),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("observed_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return `table` with the columns, order and types of `schema`, absent nullable ones as nulls.

    Raise PriceSchemaError for a column that is missing, unknown or cannot be cast.
    """
    unknown = [name for name in table.column_names if name not in schema.names]
    if unknown:
        raise PriceSchemaError(
            f"unknown column {unknown[0]!r}; the columns are {', '.join(schema.names)}"
        )
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            if not field.nullable:
                raise PriceSchemaError(f"column {field.name!r} is missing")
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        try:
            columns.append(table[field.name].cast(field.type))
            if not field.nullable and columns[-1].null_count:
                row = columns[-1].is_null().to_pylist().index(True)
                raise PriceSchemaError(f"column {field.name!r} has no value in row {row}")
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise PriceSchemaError(
                f"column {field.name!r} cannot be read as {field.type}: {error}"
            ) from None
    return pa.table(columns, schema=schema)
