"""Batches and V2 requests that reach the backends of several markets."""

import csv
import io
from typing import Any

from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem
from tests.polling import eventually


def test_a_batch_may_mix_markets(both: Gateway) -> None:
    cards: list[dict[str, Any]] = [
        {"card_id": "card_44"},
        {"card_id": "card_4"},
        {"card_id": "card_4", "market": "file-europe", "market_price": 2.0},
        {"card_id": "card_4", "market": "none"},
        {"card_id": "card_99", "market": "file-europe"},
        {"card_id": "card_5", "date": "soon"},
        {"card_id": 7},
        {"card_id": "card_5"},
    ]
    rows = both.post("/fair_price/batch", {"cards": cards}).json()["predictions"]
    found = [
        (row["card_id"], row["market"], row["currency"])
        if "card_id" in row
        else row["problem"]["type"].removeprefix("/docs#")
        for row in rows
    ]
    assert found == [
        ("tcgplayer-44-normal", "file-europe", "EUR"),
        ("tcgplayer-4-normal", "simulated-1", "USD"),
        ("tcgplayer-4-normal", "file-europe", "EUR"),
        "unknown-market",
        "unknown-card",
        "invalid",
        "invalid",
        ("tcgplayer-5-normal", "simulated-1", "USD"),
    ]
    assert (rows[2]["market_price"], rows[2]["signal"]) == (2.0, "BUY")


def test_the_fees_are_those_of_the_currency_of_the_market(both: Gateway) -> None:
    cards = [
        {"card_id": "card_4", "market": market, "fees": "cardmarket"}
        for market in ("simulated-1", "file-europe")
    ]
    dollars, euros = both.post("/fair_price/batch", {"cards": cards}).json()["predictions"]
    assert dollars["problem"]["type"] == "/docs#other-currency"
    assert euros["advice"] == "ok"


def infer(gateway: Gateway, cards: list[str], **more: Any) -> Any:
    tensor = {"name": "card_id", "shape": [len(cards)], "datatype": "BYTES", "data": cards}
    return gateway.post("/v2/models/pokewatch/infer", {"inputs": [tensor], **more})


def test_v2_requests_are_of_one_market(both: Gateway) -> None:
    named = infer(both, ["card_4"], parameters={"market": "file-europe"}).json()
    assert named["parameters"]["market"] == "file-europe"
    assert infer(both, ["card_44"]).json()["parameters"]["currency"] == "EUR"
    assert_problem(infer(both, ["card_4", "card_44"]), 409, "misfit")
    unknown = infer(both, ["card_4"], parameters={"market": "none"})
    assert_problem(unknown, 404, "unknown-market")


def test_each_market_has_a_v2_model(both: Gateway) -> None:
    found = both.get("/v2/models/fair-price-file-europe").json()
    assert found["name"] == "fair-price-file-europe"
    tensor = {"name": "card_id", "shape": [1], "datatype": "BYTES", "data": ["card_44"]}
    passed = both.post("/v2/models/fair-price-file-europe/infer", {"inputs": [tensor]}).json()
    assert passed["parameters"]["currency"] == "EUR"
    assert both.get("/v2/models/decision/ready").json()["ready"]
    assert_problem(both.get("/v2/models/fair-price"), 404, "unknown-model")


def test_collections_and_downloads_are_of_a_market(both: Gateway) -> None:
    lines = {"lines": [{"card_id": "card_4"}]}
    valued = both.post("/collections/value?market=file-europe", lines).json()
    assert (valued["market"], valued["currency"]) == ("file-europe", "EUR")
    assert both.post("/collections/value", lines).json()["market"] == "simulated-1"
    resolved = both.post("/cards/resolve?market=file-europe", {"cards": [{"card_id": "card_44"}]})
    assert resolved.json()["cards"][0]["card"] == "card_44"
    named = both.get("/export.csv?market=file-europe")
    assert "pokewatch-file-europe.csv" in named.headers["content-disposition"]
    rows = csv.DictReader(io.StringIO(named.text))
    assert {row["market"] for row in rows} == {"file-europe"}
    assert named.text.count("\n") == 61
    assert both.get("/export.csv").text.count("\n") == 41


def test_a_watch_is_of_the_market_of_its_card(both: Gateway) -> None:
    found = []
    for request in ({"card_id": "card_44"}, {"card_id": "card_4", "market": "file-europe"}):
        condition = {"type": "below", "price": 1.0}
        made = both.post("/watches", request | {"condition": condition}).json()
        found.append((made["market"], made["currency"]))
        both.ask("DELETE", f"/watches/{made['id']}")
    assert found == [("file-europe", "EUR")] * 2
    dollars = {"card_id": "card_44", "condition": condition, "currency": "USD"}
    assert_problem(both.post("/watches", dollars), 409, "watch-refused")


def test_calls_are_counted_by_market(both: Gateway) -> None:
    def counted() -> float:
        name = 'pokewatch_gateway_coalesced_rows_count{market="file-europe"} '
        (line,) = (each for each in both.metrics().splitlines() if each.startswith(name))
        return float(line.removeprefix(name))

    before = counted()
    offer = {"card_id": "card_44", "market_price": 1.25}
    eventually(lambda: both.post("/fair_price", offer).status_code, (200).__eq__)
    eventually(counted, before.__lt__)  # metrics are up to a second old
