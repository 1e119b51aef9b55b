"""Prices of a user-supplied file compared with those that other lakes have of its products.

A column of cents, or of a currency with small units, would otherwise become prices a hundred times
too high.
"""

import math
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pokewatch.market.known_cards import product_of, products_of, same_card
from pokewatch.market.lake import Lake

_FACTORS = (0.001, 0.01, 100.0, 1000.0)
_NEAR = math.log(1.6)  # a price may have moved since
_LEAST_CARDS = 3
_MOST_OF = 0.5  # the cards whose price is off by the same factor

Quote = tuple[float, str]  # price and currency


def scale_fault(prices: pa.Table, cards: pa.Table, lakes: Iterable[Lake]) -> str | None:
    """Return a text on the factor by which most prices of `cards` differ from those of a lake.

    `prices` are sorted by date. None if they do not, or if too few of the products are known.
    """
    identities = {
        card["card_id"]: found
        for card in cards.select(["card_id", "printing", "source_ids"]).to_pylist()
        if (found := product_of(card))
    }
    ours = pc.is_in(prices["card_id"], value_set=pa.array(list(identities), pa.string()))
    quotes = _last_quotes(prices.filter(ours))
    if not quotes:
        return None
    wanted = {identities[card_id][0] for card_id in quotes}
    for lake in lakes:
        if not lake.has_catalog() or not lake.days():
            continue
        products = products_of(lake, wanted)
        known = _last_quotes(lake.day(lake.days()[-1])) if products else {}
        pairs = {
            card_id: (quotes[card_id], known[same["card_id"]])
            for card_id in quotes
            if (same := same_card(products, identities[card_id])) and same["card_id"] in known
        }
        if fault := _fault(lake, pairs):
            return fault
    return None


def _last_quotes(prices: pa.Table) -> dict[str, Quote]:
    """Return the last market price and its currency by card; `prices` are sorted by date."""
    quoted = prices.filter(pc.is_valid(prices["market_price"]))
    if not quoted.num_rows:
        return {}
    ids = quoted["card_id"].combine_chunks().dictionary_encode()
    last = np.zeros(len(ids.dictionary), dtype=np.int64)
    last[ids.indices.to_numpy()] = np.arange(quoted.num_rows)
    rows = quoted.select(["card_id", "market_price", "currency"]).take(pa.array(last)).to_pylist()
    return {row["card_id"]: (row["market_price"], row["currency"]) for row in rows}


def _fault(lake: Lake, pairs: dict[str, tuple[Quote, Quote]]) -> str | None:
    ratios = {
        card_id: ours[0] / known[0]
        for card_id, (ours, known) in pairs.items()
        if ours[1] == known[1]
    }
    if len(ratios) < _LEAST_CARDS:
        return None
    for factor in _FACTORS:
        off = [each for each, ratio in ratios.items() if abs(math.log(ratio / factor)) < _NEAR]
        if len(off) > _MOST_OF * len(ratios):
            (price, _), (known, _) = pairs[off[0]]
            return (
                f"its prices are about {factor:g} times those of {len(off):,} cards of the lake "
                f"{lake.root.name} ({off[0]} is {price:,.2f}, and {known:,.2f} there)"
            )
    return None
