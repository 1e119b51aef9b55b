"""Small panels for tests."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from pokewatch.valuation.panel import Panel, panel_from_table

START = np.datetime64("2025-01-06")
CARD_COLUMNS = {
    "set_id": pa.string(),
    "rarity": pa.string(),
    "printing": pa.string(),
    "released": pa.date32(),
    "currency": pa.string(),
}


def panel_of(
    market: ArrayLike,
    low: ArrayLike | None = None,
    sets: Sequence[str] | None = None,
    start: np.datetime64 = START,
) -> Panel:
    """Return the panel of prices [d, n], NaN for no quote; cards are c000, c001, ..."""
    prices = np.asarray(market, dtype=np.float64)
    return panel_from(long_table(prices, low, sets, start))


def panel_from(table: pa.Table) -> Panel:
    """Return the panel of a table, which may lack the columns of cards."""
    for name, kind in CARD_COLUMNS.items():
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(table.num_rows, kind))
    return panel_from_table(table)


def long_table(
    market: ArrayLike,
    low: ArrayLike | None = None,
    sets: Sequence[str] | None = None,
    start: np.datetime64 = START,
) -> pa.Table:
    prices = np.asarray(market, dtype=np.float64)
    days, cards = prices.shape
    card = np.tile(np.arange(cards), days)
    columns = {
        "card_id": pa.array([f"c{number:03d}" for number in card]),
        "date": pa.array(np.repeat(start + np.arange(days), cards)),
        "market_price": pa.array(prices.ravel()),
        "set_id": pa.array([(sets or ["base"] * cards)[number] for number in card]),
    }
    if low is not None:
        columns["low_price"] = pa.array(np.asarray(low, dtype=np.float64).ravel())
    return pa.table(columns)


def market_like(days: int, cards: int, seed: int = 0, gaps: float = 0.05) -> NDArray[np.float64]:
    """Return prices [d, n] with repeated quotes, noise around a drifting level and missing days.

    Some cards start late, end early or have a single price.
    """
    rng = np.random.default_rng(seed)
    level = rng.normal(2.0, 1.0, cards) + np.cumsum(rng.normal(0, 0.01, (days, cards)), axis=0)
    quotes = level + rng.normal(0, 0.05, (days, cards))
    renewed = rng.random((days, cards)) < rng.uniform(0.05, 0.9, cards)
    renewed[0] = True
    for day in range(1, days):
        quotes[day] = np.where(renewed[day], quotes[day], quotes[day - 1])
    prices = (np.round(np.exp(quotes), 2) + 0.01).astype(np.float64)
    prices[rng.random((days, cards)) < gaps] = np.nan
    first, last = rng.integers(0, days, cards), rng.integers(0, days, cards)
    odd = np.arange(cards) % 5
    on = np.arange(days)[:, None]
    prices[(odd == 1) & (on < first // 2)] = np.nan
    prices[(odd == 2) & (on > np.maximum(last, days // 2))] = np.nan
    prices[(odd == 3) & (cards > 20) & (np.arange(cards) == 3) & (on != first)] = np.nan
    return prices


def day_of(panel: Panel, index: int) -> date:
    found: date = panel.dates[index].item()
    return found
