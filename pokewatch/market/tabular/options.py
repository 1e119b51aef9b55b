"""Options of a table. Everything that they leave open is inferred from the table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from pokewatch.market.tabular.dates import Order
from pokewatch.money import Decimal


@dataclass(frozen=True, slots=True)
class TableOptions:
    """The user's answers to what a table may leave open."""

    columns: Mapping[str, str] = field(default_factory=dict)  # field: column
    currency: str = "USD"
    dates: Order | None = None
    decimal: Decimal | None = None
    encoding: str | None = None
    unit: Literal["whole", "cents"] | None = None  # of the prices
    day: date | None = None  # of all rows, where no column has dates
    key: tuple[str, ...] = ()  # columns that, with the card, make one card of several
