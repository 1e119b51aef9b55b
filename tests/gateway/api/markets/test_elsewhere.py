"""The same product in other markets."""

from collections.abc import Callable

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
