"""Held-out coverage of the interval of a collection's total: python -m tests.bench.portfolios

Portfolios of 10, 100 and 1,000 cards (or all there are) are drawn from the cards of real panels,
each with 1 to 4 copies. The interval comes from the days before a split, and is judged on those
after it, with the last price as the fair price. The choice of the method has seen the cards of half
A, by a hash of their ids; half B was kept apart. Needs the real panels, see `shared_data`.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pokewatch.collection.portfolio import error_interval
from tests.conftest import ROOT

Floats = NDArray[np.float64]

SIZES = (10, 100, 1_000)
PORTFOLIOS = 100
CHEAPEST = 1.0  # as in /changes: below it are pennies
# panel, horizon in its periods, and the periods before the split
CASES = (
    ("cardmarket_daily", 7, (70, 85)),
    ("cardmarket_daily", 3, (40, 62)),
    ("cardmarket_daily", 1, (40, 62, 80)),
    ("tcgcsv_daily", 1, (12, 18, 24)),
    ("tcgcsv_daily", 2, (12, 20, 24)),
    ("tcgcsv_daily", 3, (17, 20)),
    ("tcgplayer_weekly_sales", 1, (16, 26, 36)),
    ("tcgplayer_weekly_sales", 2, (22, 30)),
)


def panel(folder: Path, name: str, half: str) -> Floats:
    """Return the prices [card, period] of the cards of a half, the last one where none is new."""
    columns = ["card_id", "date", "market_price"]
    rows = pq.read_table(folder / f"{name}.parquet", columns=columns).to_pandas()
    wide = rows.pivot_table("market_price", "card_id", "date", aggfunc="last").sort_index(axis=1)
    own = [half_of(card) == half for card in wide.index]
    prices: Floats = pd.DataFrame(wide[own]).ffill(axis=1).to_numpy(np.float64)
    return prices


def half_of(card: str) -> str:
    return "AB"[int(sha256(card.encode()).hexdigest(), 16) % 2]


def coverages(prices: Floats, horizon: int, split: int, size: int) -> Iterator[float]:
    """Yield the share of the later periods that the interval of each portfolio covers."""
    rng = np.random.default_rng(size)
    pool = np.flatnonzero(prices[:, split - 1] >= CHEAPEST)
    for _ in range(PORTFOLIOS):
        cards = rng.choice(pool, min(size, len(pool)), replace=False)
        copies = rng.integers(1, 5, (len(cards), 1))
        before, after = prices[cards, :-horizon], prices[cards, horizon:]
        both = np.isfinite(before) & np.isfinite(after)
        total, later = (np.where(both, each * copies, 0).sum(axis=0) for each in (before, after))
        known = total > 0
        past = known & (np.arange(len(known)) < split - horizon)
        lower, upper = error_interval(later[past] / total[past], horizon)
        ratios = (later[known] / total[known])[known[:split].sum() :]
        yield float(np.mean((ratios >= lower) & (ratios <= upper)))


def measured(folder: Path, half: str) -> dict[int, float]:
    """Return the mean coverage for each size, over all panels, horizons and splits."""
    found: dict[int, list[float]] = defaultdict(list)
    for name in dict.fromkeys(case[0] for case in CASES):
        prices = panel(folder, name, half)
        for _, horizon, splits in (case for case in CASES if case[0] == name):
            for split in splits:
                for size in SIZES:
                    share = np.mean(list(coverages(prices, horizon, split, size)))
                    found[size].append(float(share))
    return {size: float(np.mean(shares)) for size, shares in found.items()}


def main() -> None:
    given = os.environ.get("POKEWATCH_SHARED_DATA")
    folder = Path(given) if given else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        print(f"no real prices at {folder}: set POKEWATCH_SHARED_DATA")
        return
    for half in "AB":
        shares = measured(folder, half)
        print(half, "  ".join(f"{size:,} cards {share:.3f}" for size, share in shares.items()))


if __name__ == "__main__":
    main()
