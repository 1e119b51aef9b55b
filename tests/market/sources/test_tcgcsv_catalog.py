"""Sets and products: what describes the cards, and what happens without it."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from pokewatch.market.collect import collect
from pokewatch.market.lake import Lake
from pokewatch.market.sources.tcgcsv import TcgcsvSource
from tests.market.tcgcsv_server import CARDS, FIRST, GROUPS, TcgcsvServer, day_sets
from tests.market.upstream import price

Open = Callable[..., TcgcsvSource]
DAY = FIRST - timedelta(days=1)
NUMBERS = {
    1: "139/195",
    2: "PHNI-EN059",
    3: "ST05-001",
    4: "SV-P 001",
    5: "№ 7",
    6: None,
    7: 8,
}


def test_a_failing_catalogue_is_left_alone_after_a_few_sets(
    server: TcgcsvServer, opened: Open, lake: Lake
) -> None:
    server.open_archive(DAY, day_sets())
    server.absent.update(f"/tcgplayer/3/{group}/products" for group in GROUPS)
    report = collect(opened(), lake, [DAY])

    assert lake.catalog().num_rows == CARDS * len(GROUPS)
    assert len(server.requested("/products")) == 3
    assert sum("have their ids as names" in warning for warning in report.warnings) == 3


def test_products_are_requested_once(server: TcgcsvServer, opened: Open, lake: Lake) -> None:
    days = [DAY - timedelta(days=1), DAY]
    for position, day in enumerate(days):
        server.open_archive(day, day_sets(position / 10))
    collect(opened(), lake, days)

    assert Counter(server.paths).most_common(1)[0][1] == 1


def test_only_the_sets_of_games_that_have_cards_are_requested(
    server: TcgcsvServer, opened: Open, lake: Lake
) -> None:
    server.open_archive(DAY, day_sets())
    collect(opened(tcgcsv_categories="3,85,1"), lake, [DAY])

    assert server.requested("/groups") == ["/tcgplayer/3/groups"]


def test_numbers_of_any_shape_are_kept_and_identify_nothing(
    server: TcgcsvServer, opened: Open, lake: Lake
) -> None:
    server.open_archive(DAY, {(68, 1): [price(product) for product in NUMBERS]})
    server.sets[68, 1] = server.sets.pop((3, 1))
    details = [
        {
            "productId": product,
            "name": "Roronoa Zoro",
            "extendedData": [{"name": "Number", "value": number}] if number else [],
        }
        for product, number in NUMBERS.items()
    ]
    server.results("/tcgplayer/68/1/products", details)
    collect(opened(tcgcsv_categories="One Piece"), lake, [DAY])

    cards = {row["card_id"]: row for row in lake.catalog().to_pylist()}
    numbers = [cards[f"tcgplayer-{product}-normal"]["number"] for product in NUMBERS]
    assert numbers == ["139/195", "PHNI-EN059", "ST05-001", "SV-P 001", "№ 7", None, "8"]
    assert len({card["slug"] for card in cards.values()}) == len(NUMBERS)
    assert {card["game"] for card in cards.values()} == {"One Piece"}


def test_the_game_is_known_without_the_catalogue(
    server: TcgcsvServer, opened: Open, lake: Lake
) -> None:
    server.open_archive(DAY, day_sets(category=85))
    server.absent.add("/tcgplayer/85/groups")
    report = collect(opened(), lake, [DAY])

    assert set(lake.catalog()["game"].to_pylist()) == {"Pokemon Japan"}
    assert set(lake.catalog()["language"].to_pylist()) == {"Japanese"}
    assert any(
        "cards of category 85 have their ids as names until" in warning
        for warning in report.warnings
    )


def test_an_unknown_printing_is_reported_and_collected(
    server: TcgcsvServer, opened: Open, lake: Lake
) -> None:
    server.open_archive(DAY, {(1, 1): [price(1), price(1, printing="Etched Foil")]})
    report = collect(opened(tcgcsv_categories="magic"), lake, [DAY])

    assert "Magic has an unknown printing 'Etched Foil' (1 card)" in report.warnings
    assert lake.day(DAY)["card_id"].to_pylist() == [
        "tcgplayer-1-etched-foil",
        "tcgplayer-1-normal",
    ]
