from typing import Any

import pytest

from tests.serving.server import Server, columns, infer, tensor
from tests.serving.triton import ask


def judge(server: Server, market: list[Any], fair: list[Any], *more: dict[str, Any]) -> dict[str, list[Any]]:
    return columns(infer(server, "decision", tensor("market_price", market, "FP64"), tensor("fair_price", fair, "FP64"), *more))


def test_the_inclusive_edges(server: Server) -> None:
    found = judge(server, [90, 115, 100, 90.01], [100, 100, 100, 100])
    assert found["signal"] == ["BUY", "SELL", "HOLD", "HOLD"]
    assert found["deviation_pct"] == [-0.1, 0.15, 0.0, -0.0999]
    assert found["confidence"] == [None] * 4


def test_confidence_needs_an_interval(server: Server) -> None:
    interval = tensor("lower", [80, None], "FP64"), tensor("upper", [125, None], "FP64")
    found = judge(server, [90, 90], [100, 100], *interval)
    assert 0.5 < found["confidence"][0] < 1
    assert found["confidence"][1] is None


@pytest.mark.parametrize("rows", [1, 2], ids=["one for all", "one a row"])
def test_thresholds_of_the_request(server: Server, rows: int) -> None:
    thresholds = tensor("buy_threshold_pct", [-0.2] * rows), tensor("sell_threshold_pct", [0.05] * rows)
    assert judge(server, [85, 106], [100, 100], *thresholds)["signal"] == ["HOLD", "SELL"]


def test_a_status_that_is_not_ok_holds(server: Server) -> None:
    found = judge(server, [50, None, 50], [100, None, 100], tensor("status", ["stale_price", "unknown_card", "ok"]))
    assert found["signal"] == ["HOLD", "HOLD", "BUY"]
    assert found["reason"][:2] == ["stale_price", "unknown_card"]


def test_prices_that_cannot_be_judged_fail_alone(server: Server) -> None:
    found = judge(server, [90, 90, 0], [100, -1, 100])
    assert found["signal"] == ["BUY", "HOLD", "HOLD"]
    assert found["reason"][1:] == ["invalid_fair_price", "invalid_market_price"]
    assert found["deviation_pct"][1:] == [None, None]


def test_fair_price_answers_go_straight_in(server: Server) -> None:
    """Whatever fair-price says, unknown cards included, decision takes as it is."""
    priced = infer(server, "fair-price", tensor("card_id", ["card_0", "nobody", "card_1"])).json()["outputs"]
    given = [o for o in priced if o["name"] in {"market_price", "fair_price", "lower", "upper", "status"}]
    response = infer(server, "decision", *given)
    assert columns(response)["reason"] == ["within_thresholds", "unknown_card", "thin_history"]
    assert response.json()["parameters"]["model_version"] == "7"


@pytest.mark.parametrize("shape", [[2], [2, 1]], ids=str)
@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_tritonclient(server: Server, transport: str, shape: list[int]) -> None:
    found = ask(server, transport, "decision", shape, ["signal", "deviation_pct"], market_price=[90.0, 120.0], fair_price=[100.0, 100.0])
    assert found == {"signal": ["BUY", "SELL"], "deviation_pct": [-0.1, 0.2]}
