"""Days whose sets mostly have no prices."""

import pyarrow as pa
import pytest

from pokewatch.market.quality.sets import check_sets

SETS = ("a", "b", "c", "d")


def cards(each: int = 5) -> pa.Table:
    """Cards of four sets, `each` of every set."""
    sets = [name for name in SETS for _ in range(each)]
    ids = [f"{name}-{number}" for name in SETS for number in range(each)]
    return pa.table({"card_id": ids, "set_id": sets})


def prices(of: pa.Table, priced: tuple[str, ...]) -> pa.Table:
    """A row for each card, with a price for those of the sets `priced`."""
    market = [1.0 if name in priced else None for name in of["set_id"].to_pylist()]
    return pa.table({"card_id": of["card_id"], "market_price": pa.array(market, pa.float64())})


@pytest.mark.parametrize(("priced", "passed"), [(SETS, True), (SETS[:2], True), (SETS[:1], False)])
def test_half_of_the_sets_must_have_prices(priced: tuple[str, ...], passed: bool) -> None:
    check = check_sets(prices(cards(), priced), cards())
    assert check.passed is passed
    assert f"{len(priced)} of 4" in check.actual


def test_small_sets_are_not_counted() -> None:
    check = check_sets(prices(cards(4), ()), cards(4))
    assert check.passed
    assert check.actual == "0 of 0"
