"""Cards with one product, and printings that appear later."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pokewatch.market.collect import collect
from pokewatch.market.lake import Lake
from pokewatch.market.sources.pokemon_price_tracker import PokemonPriceTrackerSource
from tests.market.sources.price_tracker import card, opened
from tests.market.upstream import Upstream

__all__ = ["opened"]


def collected(
    source: PokemonPriceTrackerSource, lake: Lake, days: list[int]
) -> tuple[dict[str, list[float]], list[str], list[str]]:
    """Collect days of November; return the lake's prices by card, reasons and warnings."""
    report = collect(source, lake, [date(2025, 11, day) for day in days])
    prices: dict[str, list[float]] = {}
    for table in lake.prices():
        for row in table.to_pylist():
            prices.setdefault(row["card_id"], []).append(row["market_price"])
    return prices, list(report.quarantined), report.warnings


def november(*days: int, market: float = 5.0) -> dict[str, float]:
    return {f"2025-11-{day}": market for day in days}


def named(name: str, market: float, *days: int, **others: Any) -> dict[str, Any]:
    return card(days=november(*days, market=market), name=name, cardNumber="1/9", **others)


def test_two_cards_with_one_product_are_not_mixed(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource], tmp_path: Path
) -> None:
    upstream.json("/cards", {"data": [named("Abra", 3.0, 25), named("Kadabra", 50.0, 25)]})
    lake = Lake(tmp_path)

    prices, reasons, warnings = collected(opened(), lake, [25])

    assert prices == {"tcgplayer-642623-holofoil": [3.0]}
    assert lake.catalog()["name"].to_pylist() == ["Abra"]
    conflict = "642623 is that of 'Abra 1/9', not collected for 'Kadabra 1/9'"
    assert reasons == [f"the tcgPlayerId {conflict}"]
    assert warnings == [f"several cards with one tcgPlayerId: {conflict}"]


def test_the_card_in_the_lake_keeps_its_product(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource], tmp_path: Path
) -> None:
    lake = Lake(tmp_path)
    upstream.json("/cards", {"data": [named("Abra", 3.0, 25)]})
    collected(opened(), lake, [25])
    upstream.json("/cards", {"data": [named("Kadabra", 50.0, 26), named("Abra", 4.0, 26)]})

    prices, reasons, _ = collected(opened(), lake, [26])

    assert prices == {"tcgplayer-642623-holofoil": [3.0, 4.0]}
    assert lake.catalog()["name"].to_pylist() == ["Abra"]
    assert reasons == [
        "the tcgPlayerId 642623 is that of 'Abra 1/9', not collected for 'Kadabra 1/9'"
    ]


def test_many_conflicts_are_one_warning(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    cards = [card(number, name=name) for number in range(1, 8) for name in ("Abra", "Kadabra")]
    upstream.json("/cards", {"data": cards})
    source = opened()

    assert source.catalog().num_rows == 7
    (warning,) = source.warnings
    assert warning.count("Kadabra") == 5
    assert warning.endswith(" and 2 more")


def variants(*printings: str, **others: Any) -> dict[str, Any]:
    """The prices of a card with these printings."""
    return {
        "market": 5.0,
        "lastUpdated": "2025-11-26T16:06:26.335Z",
        "primaryCondition": "Near Mint",
        "variants": {printing: {"Near Mint": {"price": 5.0}} for printing in printings},
    } | others


@pytest.mark.parametrize(
    ("before", "after", "card_id"),
    [
        (["Holofoil"], ["Holofoil", "Reverse Holofoil"], "tcgplayer-642623-holofoil"),
        (["Holofoil"], ["Normal", "Holofoil"], "tcgplayer-642623-holofoil"),
        (["Holofoil", "Normal"], ["Normal", "Holofoil"], "tcgplayer-642623-holofoil"),
        (["Holofoil"], [], "tcgplayer-642623-holofoil"),
        ([], ["Holofoil"], "tcgplayer-642623"),
        ([], ["Normal", "Holofoil"], "tcgplayer-642623"),
    ],
)
def test_a_printing_that_appears_later_changes_no_id(
    upstream: Upstream,
    opened: Callable[..., PokemonPriceTrackerSource],
    tmp_path: Path,
    before: list[str],
    after: list[str],
    card_id: str,
) -> None:
    lake = Lake(tmp_path)
    upstream.json("/cards", {"data": [card(days=november(24, 25), prices=variants(*before))]})
    collected(opened(), lake, [24, 25])
    upstream.json("/cards", {"data": [card(days=november(26), prices=variants(*after))]})

    prices, _, _ = collected(opened(), lake, [26])

    assert prices == {card_id: [5.0] * 3}
    assert lake.catalog()["card_id"].to_pylist() == [card_id]


@pytest.mark.parametrize(
    ("before", "primary", "divided", "continued"),
    [
        (variants(), None, ["Holofoil", "Reverse Holofoil"], "Holofoil"),
        (variants(), "Reverse Holofoil", ["Holofoil", "Reverse Holofoil"], "Reverse Holofoil"),
        (variants("Holofoil"), None, ["Normal", "Holofoil"], "Holofoil"),
    ],
    ids=["the first one", "the primary one", "the one it had"],
)
def test_a_history_that_is_divided_later_goes_on_under_its_id(
    upstream: Upstream,
    opened: Callable[..., PokemonPriceTrackerSource],
    tmp_path: Path,
    before: dict[str, Any],
    primary: str | None,
    divided: list[str],
    continued: str,
) -> None:
    lake = Lake(tmp_path)
    upstream.json("/cards", {"data": [card(days=november(24, 25), prices=before)]})
    collected(opened(), lake, [24, 25])
    (known,) = lake.catalog()["card_id"].to_pylist()
    history = [{"date": "2025-11-26", "market": 5.0, "volume": 3}]
    later = {each: {"Near Mint": {"history": history}} for each in divided}
    prices = variants(*divided, primaryPrinting=primary)
    upstream.json("/cards", {"data": [card(prices=prices, priceHistory={"variants": later})]})

    found, _, _ = collected(opened(), lake, [26])

    names = {row["card_id"]: row["printing"] for row in lake.catalog().to_pylist()}
    assert {names[card_id]: len(prices) for card_id, prices in found.items()} == {
        each: 3 if each == continued else 1 for each in divided
    }
    assert names[known] == continued


def test_an_undivided_history_is_that_of_the_primary_printing(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    prices = variants("Normal", "Reverse Holofoil", primaryPrinting="Reverse Holofoil")
    upstream.json("/cards", {"data": [card(prices=prices)]})

    (found,) = opened().catalog().to_pylist()

    assert (found["card_id"], found["printing"]) == (
        "tcgplayer-642623-reverse-holofoil",
        "Reverse Holofoil",
    )
