"""The forecasts of a book at further horizons than its own, made on its last day.

`forecasts.arrow` has one row per horizon, with one value per card (FixedSizeList): prices are
float32, NaN for none, and `status` is an int8 index into STATUSES.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pokewatch.errors import BookError
from pokewatch.valuation.book.layout import STATUSES, from_float32, numbers

FORECASTS = "forecasts.arrow"
_PRICES = ("fair", "lower", "upper")
_COLUMNS = {**dict.fromkeys(_PRICES, np.float32), "status": np.int8}


@dataclass(frozen=True, slots=True, eq=False)
class HorizonForecasts:
    """Forecasts of n cards at further horizons.

    `horizons` [f] are in days, ascending. Prices [f, n] are NaN for none, and `status` [f, n] is an
    index into STATUSES.
    """

    horizons: tuple[int, ...]
    fair: NDArray[np.float32]
    lower: NDArray[np.float32]
    upper: NDArray[np.float32]
    status: NDArray[np.int8]

    @classmethod
    def none(cls, cards: int) -> "HorizonForecasts":
        """Return the forecasts of a book that has none."""
        prices = np.empty((0, cards), dtype=np.float32)
        return cls((), prices, prices, prices, np.empty((0, cards), dtype=np.int8))

    @classmethod
    def from_table(cls, table: pa.Table, cards: int) -> "HorizonForecasts":
        """Return the forecasts in a table of `forecast_schema`, without a copy. Raise BookError."""
        if table.num_rows == 0:
            return cls.none(cards)
        if table.column(0).num_chunks != 1:
            raise BookError(f"{FORECASTS} contains {table.column(0).num_chunks} batches, wanted 1")
        values = {
            name: numbers(table[name].chunk(0).values, dtype).reshape(-1, cards)
            for name, dtype in _COLUMNS.items()
        }
        return cls(tuple(numbers(table["horizon"], np.int32).tolist()), **values)

    def of_card(self, position: int) -> list["CardForecast"]:
        """Return the forecasts of the card at `position`, by ascending horizon."""
        fair, lower, upper = (
            from_float32(getattr(self, name)[:, position]).tolist() for name in _PRICES
        )
        status = [STATUSES[code] for code in self.status[:, position].tolist()]
        return [
            CardForecast(*values)
            for values in zip(self.horizons, fair, lower, upper, status, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class CardForecast:
    """The forecast of one card at one horizon, in days. Prices are NaN for none."""

    horizon: int
    fair: float
    lower: float
    upper: float
    status: str


def forecasts_table(forecasts: HorizonForecasts, horizon: int, cards: int) -> pa.Table:
    """Return the content of `forecasts.arrow` for a book of `cards` cards at `horizon`.

    Raise ValueError for forecasts that do not fit the book or make no sense.
    """
    _check(forecasts, horizon, cards)
    schema = forecast_schema(cards)
    columns = [pa.array(np.asarray(forecasts.horizons, dtype=np.int32))]
    for name in _COLUMNS:
        values = np.ascontiguousarray(getattr(forecasts, name)).ravel()
        columns.append(
            pa.FixedSizeListArray.from_arrays(pa.array(values), type=schema.field(name).type)
        )
    return pa.Table.from_batches([pa.record_batch(columns, schema=schema)])


def forecast_schema(cards: int) -> pa.Schema:
    """Return the schema of `forecasts.arrow`."""

    def by_card(name: str, kind: pa.DataType) -> pa.Field:
        item = pa.field("item", kind, nullable=False)
        return pa.field(name, pa.list_(item, cards), nullable=False)

    return pa.schema(
        [
            pa.field("horizon", pa.int32(), nullable=False),
            *(by_card(name, pa.float32()) for name in _PRICES),
            by_card("status", pa.int8()),
        ]
    )


def _check(forecasts: HorizonForecasts, horizon: int, cards: int) -> None:
    days = forecasts.horizons
    if list(days) != sorted(set(days)) or horizon in days or min(days, default=1) < 1:
        raise ValueError(
            f"further horizons must be ascending, at least 1 and other than {horizon}, got {days}"
        )
    for name in _COLUMNS:
        found = getattr(forecasts, name).shape
        if found != (len(days), cards):
            raise ValueError(
                f"{name} must have the shape [horizons, cards] {(len(days), cards)}, got {found}"
            )
    fair, status = forecasts.fair, forecasts.status
    if ((status < 0) | (status >= len(STATUSES))).any():
        raise ValueError(f"status must be an index into STATUSES, 0 to {len(STATUSES) - 1}")
    if not ((fair > 0) & np.isfinite(fair))[status == STATUSES.index("ok")].all():
        raise ValueError("the fair price of a forecast that is ok must be positive and finite")
    with np.errstate(invalid="ignore"):
        if ((forecasts.lower > fair) | (forecasts.upper < fair)).any():
            raise ValueError("an interval must contain its fair price")
