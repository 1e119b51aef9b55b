"""Quality of the sets of a day that there is no earlier day to compare with."""

import pyarrow as pa
import pyarrow.compute as pc

from pokewatch.checks import Check

_COMPARED_FROM = 5  # cards: the prices of a smaller set may all be absent on a day
_LEAST_PRICED = 0.5  # share of the sets; on real days 93% to 100%, of every game


def check_sets(prices: pa.Table, cards: pa.Table) -> Check:
    """Return the check of a day without an earlier one: most of its sets must have prices."""
    priced = _priced_sets(prices, cards)
    listed = [name for name, count in _counts(prices, cards).items() if count >= _COMPARED_FROM]
    found = sum(name in priced for name in listed)
    return Check(
        "sets",
        f"at least {_LEAST_PRICED:.0%} of the sets with a price",
        f"{found} of {len(listed)}",
        found >= _LEAST_PRICED * len(listed),
        "the other sets have rows and not a single price",
    )


def _priced_sets(prices: pa.Table, cards: pa.Table) -> dict[str, int]:
    return _counts(prices.filter(pc.is_valid(prices["market_price"])), cards)


def _counts(prices: pa.Table, cards: pa.Table) -> dict[str, int]:
    """Return the number of rows in each set."""
    rows = pc.index_in(prices["card_id"], value_set=cards["card_id"].combine_chunks())
    counts = cards["set_id"].take(rows.drop_null()).value_counts().to_pylist()
    return {count["values"]: count["counts"] for count in counts}
