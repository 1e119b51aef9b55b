"""Small price books whose last day is chosen, for watches."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from pokewatch.valuation.book import PriceBook, write_book
from tests.serving.books import FACTS, catalog, rows

CARDS = 12
CARD = "tcgplayer-4-normal"


def book_of(
    folder: Path,
    prices: Mapping[int, float] | None = None,
    *,
    days: int = 10,
    cards: int = CARDS,
    currency: str = "USD",
    scale: float = 1.0,
    attempt: int = 0,
    without: Collection[int] = (),
) -> PriceBook:
    """Return a book of `days` from 2026-01-01 in which card i costs `prices[i]` on the last day.

    Others cost i + 1 and a cent more each day, NaN is no price. Its fair price is `scale` times the
    market price of `rows`. A later `attempt` is a later book of the same days. The days
    `without` have no prices.
    """
    made = rows(cards, days, scale)
    made.market[:, [*without]] = np.nan
    for card, price in (prices or {}).items():
        made.market[card, -1] = price
    created = FACTS.created_at + timedelta(days=days, minutes=attempt)
    facts = replace(FACTS, currency=currency, created_at=created)
    name = folder / f"book-{days}-{attempt}-{currency}"
    return PriceBook.open(name, write_book(name, catalog(cards), made, facts))


def unpriced() -> float:
    return float(np.nan)
