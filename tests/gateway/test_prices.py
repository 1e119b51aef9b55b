from typing import Any

import pytest

from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem


def test_a_batch_answers_each_card_or_tells_its_problem(gateway: Gateway) -> None:
    cards: list[Any] = [
        {"card_id": "card_4"},
        {"card_id": "nobody"},
        {"card_id": "card_4", "date": "soon"},
        {"card_id": "card_4", "market_price": 4.0},
        {"card_id": "card_5", "date": "2026-01-01"},
        {"card_id": "card_4", "date": "2020-01-01"},
        "card_4",
        {"card_id": "card_1"},
    ]
    response = gateway.post("/fair_price/batch", {"cards": cards})
    assert response.status_code == 200, response.text
    found = response.json()["predictions"]
    assert [row.get("signal") or row["problem"]["type"] for row in found] == [
        "HOLD",
        "/docs#unknown-card",
        "/docs#invalid",
        "BUY",
        "HOLD",
        "/docs#unknown-date",
        "/docs#invalid",
        "HOLD",
    ]
    assert found[2]["problem"]["errors"][0]["pointer"] == "/date"
    alone = gateway.post("/fair_price", cards[3]).json()
    assert {**found[3], "as_of": ""} == {name: value for name, value in alone.items() if name not in ("stale", "request_id")} | {
        "as_of": ""
    }


@pytest.mark.parametrize(
    ("price", "pointer"),
    [("1e308", "/market_price"), ("1e999", "/market_price"), ("9" * 5_000, "/..."), ("[[1]]", "/market_price")],
    ids=["large", "infinite", "long", "list"],
)
def test_a_price_that_is_none_fails_alone(gateway: Gateway, price: str, pointer: str) -> None:
    body = '{"cards":[{"card_id":"card_4","market_price":' + price + '},{"card_id":"card_4"}]}'
    response = gateway.ask("POST", "/fair_price/batch", content=body, headers={"Content-Type": "application/json"})
    bad, good = response.json()["predictions"]
    assert bad["problem"]["errors"][0]["pointer"] == pointer
    assert (bad["problem"]["status"], good["signal"]) == (422, "HOLD")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/fair_price", {"card_id": "x" * 16_384}),
        ("/signal", {"market_price": 1, "fair_price": 1, "x": " " * 16_384}),
        ("/fair_price/batch", {"cards": [{"card_id": "a"}] * 8_001}),
        ("/fair_price/batch", {"cards": [{"card_id": "a" * 262_144}]}),
    ],
)
def test_a_body_larger_than_its_route_needs_is_not_decoded(gateway: Gateway, path: str, body: Any) -> None:
    assert_problem(gateway.post(path, body), 413, "too-large")


@pytest.mark.parametrize(("count", "status"), [(0, 200), (1_000, 200), (1_001, 422)])
def test_the_size_of_a_batch(gateway: Gateway, count: int, status: int) -> None:
    response = gateway.post("/fair_price/batch", {"cards": [{"card_id": f"card_{number % 40}"} for number in range(count)]})
    assert response.status_code == status
    if status == 200:
        assert len(response.json()["predictions"]) == count


def test_a_batch_needs_its_scope(gateway: Gateway) -> None:
    key = gateway.store.create("reader", scopes=["read"])
    gateway.app.assembly.keyring.refresh()
    assert_problem(gateway.post("/fair_price/batch", {"cards": []}, key=key.key), 403, "forbidden")


@pytest.mark.parametrize(
    ("body", "signal", "deviation"),
    [
        ({"market_price": 90, "fair_price": 100}, "BUY", -0.1),
        ({"market_price": 115, "fair_price": 100}, "SELL", 0.15),
        ({"market_price": 100, "fair_price": 100}, "HOLD", 0.0),
        ({"market_price": 90, "fair_price": 100, "buy_threshold_pct": -0.2}, "HOLD", -0.1),
        ({"market_price": 105, "fair_price": 100, "sell_threshold_pct": 0.05}, "SELL", 0.05),
        ({"market_price": 105, "fair_price": 100, "buy_threshold_pct": 0, "sell_threshold_pct": 0.05}, "SELL", 0.05),
    ],
    ids=str,
)
def test_signals(gateway: Gateway, body: dict[str, float], signal: str, deviation: float) -> None:
    found = gateway.post("/signal", body).json()
    assert (found["signal"], found["deviation_pct"], found["confidence"]) == (signal, pytest.approx(deviation), None)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"market_price": 90}, "/fair_price"),
        ({"market_price": 90, "fair_price": 0}, "/fair_price"),
        ({"market_price": -1, "fair_price": 1}, "/market_price"),
        ({"market_price": 90, "fair_price": 100, "buy_threshold_pct": 0.1}, "/buy_threshold_pct"),
        ({"market_price": 90, "fair_price": 100, "sell_threshold_pct": None}, "/sell_threshold_pct"),
    ],
    ids=str,
)
def test_signals_of_nonsense(gateway: Gateway, body: dict[str, float], pointer: str) -> None:
    problem: Any = assert_problem(gateway.post("/signal", body), 422, "invalid")
    assert problem["errors"][0]["pointer"] == pointer
