"""The answers that a session must have, over whichever transport."""

from typing import Any

from tests.gateway.conftest import Gateway
from tests.gateway.mcp.sessions import CALLS

SIMULATED = "All prices are simulated: this is not a real market."


def check_answers(found: dict[str, Any], gateway: Gateway) -> None:
    """Raise AssertionError unless a recorded session agrees with the API."""
    assert found["tools"].keys() == CALLS.keys()
    for tool in found["tools"].values():
        assert tool.description
        assert tool.annotations.read_only_hint
        assert tool.input_schema["type"] == "object"
    ready = gateway.get("/ready", key="").json()
    assert found["list_markets"] == gateway.get("/markets").json()
    for name in CALLS.keys() - {"list_markets"}:
        answer = found[name]
        assert answer["market"] == "simulated-0", name
        assert answer["date"] == "2026-01-05", name
        assert answer["currency"] == "USD", name
        assert answer["model_version"] == ready["model_version"], name
        assert answer["data_version"] == ready["data_version"], name
        assert SIMULATED in answer["caveats"], name
        assert any("The newest prices are of 2026-01-05" in text for text in answer["caveats"])
    _check_prices(found, gateway)


def _check_prices(found: dict[str, Any], gateway: Gateway) -> None:
    assert found["search_cards"]["exact"]
    assert "card_4" in [card["slug"] for card in found["search_cards"]["cards"]]
    priced = gateway.post("/fair_price", {"card_id": "card_4"}).json()
    for name in ("fair_price", "lower", "upper", "signal", "buy_below", "chance_to_earn"):
        assert found["fair_price"][name] == priced[name]
    judged = found["judge_listing"]
    body = {"card_id": "card_4", "market_price": 3.5, "condition": "LP", "fees": "ebay"}
    offered = gateway.post("/fair_price", body).json()
    assert (judged["signal"], judged["fair_price"]) == (offered["signal"], offered["fair_price"])
    assert (judged["price_judged"], judged["condition"]) == (3.5, "LP")
    assert any("not near mint" in text for text in judged["caveats"])
    lines = found["value_collection"]["lines"]
    assert [line["outcome"] for line in lines] == ["matched", "matched", "unmatched"]
    totals = found["value_collection"]["totals"]
    assert (totals["copies"], totals["copies_with_cost"], totals["cost"]) == (3, 2, 2.47)
    movers = gateway.get("/movers?price=low&min_price=1&limit=5").json()
    assert [card["card_id"] for card in found["movers"]["buy"]] == [
        card["card_id"] for card in movers["buy"]
    ]
    assert any("lowest ask" in text for text in found["movers"]["caveats"])
    record = gateway.get("/track-record").json()
    assert found["track_record"]["evaluation"] == record["evaluation"]
