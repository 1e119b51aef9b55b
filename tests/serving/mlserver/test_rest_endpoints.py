from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlserver.rest.responses import Response

from pokewatch.contract import INFERENCES_PATH, MAX_BATCH_ROWS
from pokewatch.serving.mlserver.rest_endpoints import ColumnBody
from tests.serving.server import Server, infer, tensor

CARD = {"inputs": [tensor("card_id", ["card_4", "card_5"])], "id": "one"}
PRICES = {"inputs": [tensor("market_price", [90.0]), tensor("fair_price", [100.0])], "id": "two"}
UNKNOWN_INPUT = {"inputs": [tensor("name", ["card_4"])]}


def inferences(server: Server, requests: Any) -> httpx.Response:
    return httpx.post(f"{server.url}{INFERENCES_PATH}", json=requests, timeout=30)


def test_each_of_several_requests_is_answered_as_if_it_were_alone(server: Server) -> None:
    asked = {"fair-price": CARD, "decision": PRICES, "nowhere": CARD}
    alone = [infer(server, model, **request) for model, request in asked.items()]
    alone += [infer(server, "fair-price", **UNKNOWN_INPUT)]
    requests = [{"model": model, "request": request} for model, request in asked.items()]
    response = inferences(server, [*requests, {"model": "fair-price", "request": UNKNOWN_INPUT}])
    assert response.status_code == 200
    expected = [{"status": each.status_code, "body": each.json()} for each in alone]
    assert response.json() == expected
    assert [each["status"] for each in expected] == [200, 200, 404, 400]


def test_other_models_take_no_requests_with_those_of_others(server: Server) -> None:
    requests = [{"model": name, "request": PRICES} for name in ("bare", "decision")]
    refused, answered = inferences(server, requests).json()
    assert refused == {
        "status": 405,
        "body": {"error": "bare takes no requests with those of others"},
    }
    assert answered["status"] == 200


def test_several_requests_are_counted_by_their_models(server: Server) -> None:
    line = 'model_infer_request_success_total{model="fair-price",version="None"} '

    def counted() -> float:
        found = next((text for text in server.metrics().splitlines() if text.startswith(line)), "0")
        return float(found.removeprefix(line))

    before = counted()
    inferences(server, [{"model": "fair-price", "request": CARD}] * 3)
    assert counted() == before + 3


@pytest.mark.parametrize(
    "requests",
    [
        {"model": "decision", "request": PRICES},
        [{"model": "decision"}],
        [{"model": "decision", "request": {}}],
        [{"model": "decision", "request": PRICES}] * (MAX_BATCH_ROWS + 1),
    ],
    ids=["no list", "no request", "no inputs", "too many"],
)
def test_a_body_that_is_no_list_of_requests_is_refused(server: Server, requests: Any) -> None:
    response = inferences(server, requests)
    assert response.status_code == 422
    assert set(response.json()) == {"error"}


@given(st.lists(st.floats(), max_size=20))
def test_a_column_of_numbers_is_written_as_mlserver_writes_a_list(numbers: list[float]) -> None:
    written = ColumnBody({"shape": [len(numbers)], "data": np.array(numbers)}).body
    assert written == Response({"shape": [len(numbers)], "data": numbers}).body
