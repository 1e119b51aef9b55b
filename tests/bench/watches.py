"""Seconds to judge watches by a price book: python -m tests.bench.watches [--watches 1000]

The book has 43,000 cards over 400 days; two in five watches fire, with a delivery each. The time
includes the transaction. Exits with 1 if it is above 2 s.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from sqlalchemy.engine import make_url

from pokewatch.valuation.book import BookRows, PriceBook, write_book
from pokewatch.watches.conditions import Condition
from pokewatch.watches.database import WatchDatabase
from pokewatch.watches.judging import judge
from pokewatch.watches.store import LOCAL, NewWatch, WatchStore
from tests.bench.gateway import Target, report
from tests.serving.books import FACTS, catalog

CARDS, DAYS, BLOCK = 43_000, 400, 2_150
HOOK = "https://example.com/hook"


def blocks() -> Iterator[BookRows]:
    random = np.random.default_rng(0)
    dates = np.datetime64("2025-01-01") + np.arange(DAYS)
    for start in range(0, CARDS, BLOCK):
        level = random.lognormal(1, 1, (BLOCK, 1))
        market = np.round(level * np.exp(random.normal(0, 0.03, (BLOCK, DAYS))), 2) + 0.01
        fair = np.repeat(level, DAYS, axis=1)
        ids = [f"tcgplayer-{i}-normal" for i in range(start, start + BLOCK)]
        status = np.zeros((BLOCK, DAYS), dtype=np.int8)
        yield BookRows(ids, dates, market, market * 0.9, fair, fair * 0.9, fair * 1.1, status)


def fill(store: WatchStore, book: PriceBook, count: int) -> None:
    """Create `count` watches of all four conditions on cards spread over the book."""
    random = np.random.default_rng(1)
    for number, card in enumerate(random.integers(0, CARDS, count).tolist()):
        price = max(0.01, float(book.latest().market[card]))
        condition = (
            Condition("below", price=price * float(random.uniform(0.8, 1.2))),
            Condition("above", price=price * float(random.uniform(0.8, 1.2))),
            Condition("signal", signal="BUY"),
            Condition("moves", change=0.03, days=7),
        )[number % 4]
        currency = "USD" if condition.has_currency else None
        new = NewWatch(book.cards.ids[card], book.cards.slugs[card], condition, currency, HOOK)
        store.create(LOCAL, new)


def measure(count: int) -> list[Target]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        book = PriceBook.open(folder, write_book(folder, catalog(CARDS), blocks(), FACTS))
        database = WatchDatabase(make_url(f"sqlite:///{name}/watches.sqlite"))
        store = WatchStore(database)
        fill(store, book, count)
        found = []
        for _ in range(2):
            began = time.perf_counter()
            judged = judge(store, book, "1", [])
            found.append(Target(_title(judged.fired), time.perf_counter() - began, 2, at_most=True))
            assert judged.judged == count
        database.close()
    return found


def _title(fired: int) -> str:
    return f"watches judged, {fired} of them fired, s"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watches", type=int, default=1_000)
    return report(measure(parser.parse_args(arguments).watches))


if __name__ == "__main__":
    sys.exit(main())
