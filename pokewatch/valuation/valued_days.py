"""The values of the last days as they were known on each, and the rows of a price book."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.book import NO_SHAPE, BookRows, BookSpreads, HorizonForecasts
from pokewatch.valuation.forecasts import horizon_forecasts
from pokewatch.valuation.models import Model, Values
from pokewatch.valuation.panel import Floats, Panel
from pokewatch.valuation.walk_forward import Walk, walk_together

_BLOCK = 4096  # cards at a time


@dataclass(frozen=True, slots=True)
class ValuedDays:
    """Values [d, n] of the panel's last d days, from day index `first` on.

    `status` is an index into STATUSES. `shape` is a row of `shapes` [S, 1 + K], those of all models
    that valued a day, NO_SHAPE for none: see `spread.Spread`. `further` are the forecasts of the
    last day at further horizons.
    """

    first: int
    fair: NDArray[np.float32]
    lower: NDArray[np.float32]
    upper: NDArray[np.float32]
    status: NDArray[np.int8]
    scale: NDArray[np.float16]
    unchanged: NDArray[np.float16]
    shape: NDArray[np.int16]
    shapes: Floats
    further: HorizonForecasts


def valued_days(model: Model, panel: Panel, days: int, horizons: Sequence[int] = ()) -> ValuedDays:
    """Return the values of the last `days` days, and forecasts at further `horizons`, in days.

    Days before the training date of `model` are valued by models of the same kind, trained only on
    what was known then: comparing a book's past with later prices involves no look-ahead. Raise
    ValueError for fewer than 1 day.
    """
    if days < 1:
        raise ValueError(f"days must be at least 1, got {days}")
    first = max(0, panel.days - days)
    shape = panel.days - first, panel.cards
    # Each row is filled below: memory is taken day by day, as fewer rows wait to be trained on.
    fair, lower, upper = (np.empty(shape, dtype=np.float32) for _ in range(3))
    scale, unchanged = (np.empty(shape, dtype=np.float16) for _ in range(2))
    shape_row, status = np.empty(shape, dtype=np.int16), np.empty(shape, dtype=np.int8)
    tables: list[Floats] = []
    served = Walk(model.name, model.horizon, range(first, panel.days), latest=model)
    others = [Walk(model.name, horizon, [panel.days - 1]) for horizon in sorted(set(horizons))]
    further: dict[int, Values] = {}
    for walk, features, values in walk_together(panel, [served, *others]):
        if walk is not served:
            further[walk.horizon] = values
            continue
        row = features.day - first
        fair[row], lower[row], upper[row], status[row] = (
            values.fair,
            values.lower,
            values.upper,
            values.status,
        )
        spread = values.spread
        if not tables or spread.shapes is not tables[-1]:
            tables.append(spread.shapes)
        scale[row], unchanged[row] = spread.scale, spread.unchanged
        before = sum(map(len, tables[:-1]))
        shape_row[row] = np.where(
            np.isfinite(values.fair) & (spread.shape >= 0), before + spread.shape, NO_SHAPE
        )
    return ValuedDays(
        first,
        fair,
        lower,
        upper,
        status,
        scale,
        unchanged,
        shape_row,
        np.concatenate(tables),
        horizon_forecasts(further, panel.cards),
    )


def book_rows(panel: Panel, valued: ValuedDays) -> Iterator[BookRows]:
    """Yield the rows of the valued days, in blocks of cards."""
    first = valued.first
    for begin in range(0, panel.cards, _BLOCK):
        cards = slice(begin, begin + _BLOCK)
        market = panel.market[first:, cards].T
        yield BookRows(
            card_id=panel.card_id[cards].tolist(),
            dates=panel.dates[first:],
            market=market,
            low=np.full_like(market, np.nan) if panel.low is None else panel.low[first:, cards].T,
            fair=_float64_rows(valued.fair[:, cards]),
            lower=_float64_rows(valued.lower[:, cards]),
            upper=_float64_rows(valued.upper[:, cards]),
            status=np.ascontiguousarray(valued.status[:, cards].T),
            spreads=BookSpreads(
                valued.scale[:, cards].T,
                valued.unchanged[:, cards].T,
                valued.shape[:, cards].T,
                valued.shapes,
            ),
        )


def _float64_rows(values: NDArray[np.float32]) -> NDArray[np.float64]:
    return values.T.astype(np.float64)
