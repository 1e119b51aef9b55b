"""Price sources: each a module with one class behind the `Source` protocol."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import pyarrow as pa

REJECTED_SCHEMA = pa.schema(
    [
        pa.field("date", pa.date32()),
        pa.field("card_id", pa.string()),
        pa.field("row", pa.string(), nullable=False),  # JSON: the row as the source gave it
        pa.field("reason", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class PriceBatch:
    """Whole days of prices: every row the source has for `days`, and the rows it could not read, with the reason."""

    days: tuple[date, ...]
    prices: pa.Table  # PRICE_SCHEMA
    rejected: pa.Table  # REJECTED_SCHEMA


class Source(Protocol):
    """Where prices come from. Untrusted: what it yields goes through `quality` before it reaches the lake."""

    name: str  # in the `source` column
    lake_name: str  # the folder of its lake: prices of different markets never share one

    def available(self) -> tuple[date, date] | None:
        """First and last day on offer, where the source knows; None where only asking tells."""

    def catalog(self) -> pa.Table:
        """Every card (CARD_SCHEMA). Raises SourceError."""

    def prices(self, days: Sequence[date]) -> Iterator[PriceBatch]:
        """The asked days in order, a batch at a time; a day the source lacks raises SourceError."""
