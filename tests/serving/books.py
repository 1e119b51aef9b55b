"""Small deterministic price books."""

from collections.abc import Collection
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pokewatch.decision.distribution import LEVELS, Z_LEVELS
from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.valuation.book import (
    NO_SHAPE,
    STATUSES,
    BookFacts,
    BookRows,
    BookSpreads,
    HorizonForecasts,
    write_book,
)

FIRST_DAY = date(2026, 1, 1)
FACTS = BookFacts(
    data_version="dv-1",
    created_at=datetime(2026, 3, 1, 2, tzinfo=UTC),
    model="local_level",
    horizon=7,
    currency="USD",
    source="simulated",
    market="simulated-0",
    git_commit="abc1234",
    run_id="run-1",
    metrics={"mape": 4.2},
    missing_horizons={90: "5 days of prices, 181 are needed"},
)


def catalog(count: int) -> pa.Table:
    """Return cards `tcgplayer-<i>-normal` with slugs `card_<i>` in sets of ten, each third Rare."""
    numbers = range(count)
    columns = {
        "card_id": [f"tcgplayer-{i}-normal" for i in numbers],
        "slug": [f"card_{i}" for i in numbers],
        "name": [f"Pokémon {i}" for i in numbers],
        "set_id": [f"set{i // 10}" for i in numbers],
        "set_name": [f"Set {i // 10}" for i in numbers],
        "number": [f"{i:03}/100" for i in numbers],
        "rarity": ["Rare" if i % 3 == 0 else "Common" for i in numbers],
        "printing": ["Normal"] * count,
        "released": [date(2025, 6, 1) if i else None for i in numbers],
        "image_url": [None] * count,
        "source_ids": [None] * count,
        "game": ["Pokemon"] * count,
        "kind": ["single"] * count,
        "language": ["English"] * count,
        "set_code": [f"S{i // 10}" for i in numbers],
    }
    return pa.table(columns, schema=CARD_SCHEMA)


def rows(count: int, days: int = 5, scale: float = 1.0, unquoted: Collection[int] = ()) -> BookRows:
    """Return rows in which card i starts at market price i + 1 and gains a cent per day.

    Its fair price is `scale` times the market price. It stays with a probability of 0.5, or changes
    to a log-normal price with a deviation of an eighth around the fair price. The cards in
    `unquoted` have a fair price on the last day but no market price.
    """
    market = np.arange(1.0, count + 1)[:, None] + np.arange(days) / 100
    fair = market * scale
    status = np.zeros((count, days), dtype=np.int8)
    if count > 1:
        status[1] = STATUSES.index("thin_history")
        fair[1] = np.nan
    market[[*unquoted], -1] = np.nan
    dates = np.datetime64(FIRST_DAY) + np.arange(days)
    ids = [f"tcgplayer-{i}-normal" for i in range(count)]
    spreads = BookSpreads(
        scale=np.full(market.shape, 0.125, dtype=np.float16),
        unchanged=np.full(market.shape, 0.5, dtype=np.float16),
        shape=np.where(np.isnan(fair), NO_SHAPE, 1).astype(np.int16),
        shapes=np.array([[0.5, *np.zeros(len(LEVELS))], [0.005, *Z_LEVELS]]),
    )
    return BookRows(
        ids, dates, market, market * 0.75, fair, fair * 0.8, fair * 1.25, status, spreads
    )


def forecasts(values: BookRows) -> HorizonForecasts:
    """Return forecasts 30 days ahead: the fair price of the last day, with a wider interval."""
    fair: NDArray[np.float32] = values.fair[:, -1:].T.astype(np.float32)
    status = np.ascontiguousarray(values.status[:, -1:].T)
    half, twice = np.float32(0.5), np.float32(2.0)
    return HorizonForecasts((30,), fair, fair * half, fair * twice, status)


def make_book(
    folder: Path,
    count: int = 40,
    days: int = 5,
    *,
    scale: float = 1.0,
    facts: BookFacts = FACTS,
    unquoted: Collection[int] = (),
) -> str:
    """Write `rows` and their forecasts as a book and return its digest."""
    values = rows(count, days, scale, unquoted)
    return write_book(folder, catalog(count), values, facts, forecasts(values))
