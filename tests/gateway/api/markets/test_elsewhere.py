"""The same product in other markets."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec

from pokewatch.gateway.api.card_schemas import CardAnswer
from pokewatch.gateway.api.market_schemas import CardList
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.markets.elsewhere import cards_elsewhere
from tests.gateway.conftest import Gateway
from tests.serving.server import Server


def test_a_card_lists_its_product_in_other_markets(both: Gateway) -> None:
    found = both.get("/cards/card_4").json()
    assert (found["market"], found["product_id"]) == ("simulated-1", "4")
    [other] = found["other_markets"]
    assert (other["market"], other["currency"], other["slug"]) == ("file-europe", "EUR", "card_4")
    assert other["market_price"] == 5.04
    [back] = both.get("/cards/card_4?market=file-europe").json()["other_markets"]
    assert back["market"] == "simulated-1"
    assert both.get("/cards/card_44").json()["other_markets"] == []


def test_a_card_of_an_unknown_product_has_none(
    mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    found = make_gateway(mlserver.url).get("/cards/card_4").json()
    assert (found["product_id"], found["other_markets"]) == (None, [])


def test_the_champion_of_a_challenger_is_no_other_market(both: Gateway) -> None:
    card = msgspec.convert(both.get("/cards/card_4").json(), CardAnswer)

    def backend(name: str) -> Any:
        async def read(*_: Any) -> CardList:
            return CardList([card], name, "USD", "7", "dv")

        return SimpleNamespace(
            name=name, id=name, reader=SimpleNamespace(read=read), merge_deadline=lambda: 1.0
        )

    markets, challenger = Markets([backend("a"), backend("b")]), backend("a")
    found = asyncio.run(cards_elsewhere(markets, challenger, card, b""))
    assert [each.market for each in found] == ["b"]
