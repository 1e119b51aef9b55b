"""Which market answers: the one that is named, or that of the card."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.gateway.conftest import Gateway
from tests.gateway.market_servers import wait_for_markets
from tests.gateway.problems import assert_problem
from tests.serving.server import Server

IN_BOTH, ONLY_EUROS = "card_4", "card_44"


@pytest.mark.parametrize(
    ("request_body", "market", "currency"),
    [
        ({"card_id": IN_BOTH}, "simulated-1", "USD"),
        ({"card_id": "tcgplayer-4-normal"}, "simulated-1", "USD"),
        ({"card_id": IN_BOTH, "market": "file-europe"}, "file-europe", "EUR"),
        ({"card_id": ONLY_EUROS}, "file-europe", "EUR"),
        ({"card_id": "tcgplayer-44-normal"}, "file-europe", "EUR"),
    ],
    ids=lambda value: str(value),
)
def test_a_fair_price(
    both: Gateway, request_body: dict[str, Any], market: str, currency: str
) -> None:
    for _ in range(2):  # the second one is cached
        found = both.post("/fair_price", request_body).json()
        assert (found["market"], found["currency"]) == (market, currency)
        assert found["data_version"] == {"USD": "dv-dollars", "EUR": "dv-euros"}[currency]


@pytest.mark.parametrize("suffix", ["", "/history", "/printings"])
def test_a_card_of_the_catalogue(both: Gateway, suffix: str) -> None:
    first = both.get(f"/cards/{IN_BOTH}{suffix}")
    named = both.get(f"/cards/{IN_BOTH}{suffix}?market=file-europe")
    other = both.get(f"/cards/{ONLY_EUROS}{suffix}")
    found = [response.json()["market"] for response in (first, named, other)]
    assert found == ["simulated-1", "file-europe", "file-europe"]
    assert first.headers["etag"] != named.headers["etag"]


@pytest.mark.parametrize(
    "path", ["/sets", "/sets/set0", "/index", "/changes", "/suggestions?q=mon", "/track-record"]
)
def test_the_first_market_unless_another_is_named(both: Gateway, path: str) -> None:
    sign = "&" if "?" in path else "?"
    assert both.get(path).json()["market"] == "simulated-1"
    named = both.get(f"{path}{sign}market=file-europe").json()
    assert (named["market"], named["currency"]) == ("file-europe", "EUR")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/cards?market=none", None),
        ("GET", "/movers?market=none", None),
        ("GET", f"/cards/{IN_BOTH}?market=none", None),
        ("GET", "/index?market=none", None),
        ("GET", "/export.csv?market=none", None),
        ("GET", "/track-record.csv?market=none", None),
        ("POST", "/fair_price", {"card_id": IN_BOTH, "market": "none"}),
        ("POST", "/cards/resolve?market=none", {"cards": [{"card_id": IN_BOTH}]}),
    ],
)
def test_an_unknown_market(both: Gateway, method: str, path: str, body: Any) -> None:
    problem = assert_problem(both.ask(method, path, json=body), 404, "unknown-market")
    assert problem["detail"] == (
        "no market has the id 'none'; the markets are simulated-1, file-europe"
    )


def test_an_unknown_card_is_searched_for_in_the_first_market(both: Gateway) -> None:
    problem = assert_problem(both.post("/fair_price", {"card_id": "card_99"}), 404, "unknown-card")
    assert problem["near"]


def test_a_market_can_be_named_where_there_is_only_one(
    mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    gateway = make_gateway(mlserver.url)
    wait_for_markets(gateway, "simulated-0")
    assert gateway.post("/fair_price", {"card_id": IN_BOTH, "market": "simulated-0"}).is_success
    refused = gateway.post("/fair_price", {"card_id": IN_BOTH, "market": "simulated-1"})
    assert_problem(refused, 404, "unknown-market")
    assert not gateway.app.assembly.markets.first.cards.known, "nothing needs the list of cards"
