from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tritonclient.utils import InferenceServerException

from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem


def tensor(name: str, data: list[Any], shape: list[int] | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "shape": shape or [len(data)],
        "datatype": "FP64" if name.endswith("price") else "BYTES",
        "data": data,
    }


def test_inference_on_pokewatch(gateway: Gateway) -> None:
    body = {"id": "mine", "inputs": [tensor("card_id", ["card_4", "nobody", "card_1"])]}
    found = gateway.post("/v2/models/pokewatch/infer", body).json()
    assert (found["id"], found["model_name"]) == ("mine", "pokewatch")
    assert found["parameters"] == {
        "model_version": "7",
        "data_version": "dv-1",
        "run_id": "run-1",
        "currency": "USD",
        "market": "simulated-0",
    }
    outputs = {output["name"]: output["data"] for output in found["outputs"]}
    assert outputs["status"] == ["ok", "unknown_card", "thin_history"]
    assert outputs["fair_price"] == [5.04, None, None]
    assert outputs["signal"] == ["HOLD"] * 3


def test_offers_dates_and_selected_outputs(gateway: Gateway) -> None:
    inputs = [
        tensor("card_id", [["card_4"], ["card_4"]], [2, 1]),
        tensor("market_price", [4, 6.5]),
        tensor("date", ["", "2026-01-01"]),
    ]
    body = {"inputs": inputs, "outputs": [{"name": "signal"}, {"name": "date"}]}
    outputs = gateway.post("/v2/models/pokewatch/infer", body).json()["outputs"]
    assert [(output["name"], output["data"]) for output in outputs] == [
        ("signal", ["BUY", "SELL"]),
        ("date", ["2026-01-05", "2026-01-01"]),
    ]


def test_advice_is_an_output_on_request(gateway: Gateway) -> None:
    inputs = [
        tensor("card_id", ["card_30", "card_30"]),
        tensor("market_price", [20.0, 20.0]),
        tensor("condition", ["", "LP"]),
        tensor("fees", ["ebay", ""]),
    ]
    body = {"inputs": inputs}
    usual = gateway.post("/v2/models/pokewatch/infer", body).json()["outputs"]
    assert "buy_below" not in {output["name"] for output in usual}
    names = ("fair_price", "buy_below", "sell_above", "chance_to_earn", "advice")
    body = {"inputs": inputs, "outputs": [{"name": name} for name in names]}
    reply = gateway.post("/v2/models/pokewatch/infer", body).json()
    found = {output["name"]: output["data"] for output in reply["outputs"]}
    assert found["advice"] == ["ok", "ok"]
    assert found["fair_price"][1] == pytest.approx(0.85 * found["fair_price"][0])
    assert found["buy_below"][1] < found["buy_below"][0]


@pytest.mark.parametrize(
    ("inputs", "detail"),
    [
        ([tensor("fees", ["cardmarket"])], "are in EUR, the prices in USD"),
        ([tensor("fees", ["shop"])], "shop"),
        ([tensor("condition", ["mint"])], "mint"),
    ],
)
def test_fees_and_conditions_that_do_not_apply(
    gateway: Gateway, inputs: list[dict[str, Any]], detail: str
) -> None:
    body = {"inputs": [tensor("card_id", ["card_30"]), *inputs]}
    problem = assert_problem(gateway.post("/v2/models/pokewatch/infer", body), 409, "misfit")
    assert detail in problem["detail"]


def answered(
    gateway: Gateway, cards: list[str], offers: list[float | None], dates: list[str]
) -> list[tuple[Any, ...]]:
    inputs = [tensor("card_id", cards), tensor("market_price", offers), tensor("date", dates)]
    response = gateway.post("/v2/models/pokewatch/infer", {"inputs": inputs})
    assert response.status_code == 200, response.text
    return list(zip(*(output["data"] for output in response.json()["outputs"]), strict=True))


def test_a_card_without_a_market_price(gateway: Gateway) -> None:
    found = answered(gateway, ["card_7", "card_7", "card_4"], [None, 6.0, None], [""] * 3)
    names = (
        "market_price",
        "fair_price",
        "lower",
        "upper",
        "status",
        "signal",
        "deviation_pct",
        "confidence",
        "reason",
    )
    prices = dict(zip(("card_id", "date", *names), found[0], strict=True))
    assert [prices[name] for name in names] == [
        None,
        8.04,
        6.432,
        10.05,
        "ok",
        "HOLD",
        None,
        None,
        "no_market_price",
    ]
    assert [row[-1] for row in found[1:]] == ["below_threshold", "within_thresholds"]


CARDS = st.sampled_from(
    ["card_4", "tcgplayer-5-normal", "card_7", "card_1", "nobody", "", "x" * 300]
)
OFFERS = st.sampled_from([None, 4.0, 9.0, 0.0, -1.0, 1e308, 5e-324])
DATES = st.sampled_from(["", "2026-01-03", "2026-01-09", "2020-01-01", "soon", "2026-02-30"])


@pytest.mark.slow
def test_rows_are_independent(gateway: Gateway) -> None:
    alone: dict[tuple[str, float | None, str], tuple[Any, ...]] = {}

    @settings(
        max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(st.tuples(CARDS, OFFERS, DATES), min_size=1, max_size=12))
    def run(rows: list[tuple[str, float | None, str]]) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)]
        found = answered(gateway, *columns)
        for row in rows:
            if row not in alone:
                [alone[row]] = answered(gateway, [row[0]], [row[1]], [row[2]])
        assert found == [alone[row] for row in rows]

    run()


@pytest.mark.parametrize(
    ("inputs", "pointer"),
    [
        ([], "/inputs"),
        ([tensor("card_id", [])], "/inputs"),
        ([tensor("date", [""])], "/inputs"),
        ([tensor("card_id", ["a"]), tensor("card_id", ["a"])], "/inputs/1/name"),
        ([tensor("card_id", ["a"]), tensor("date", ["", ""])], "/inputs"),
        ([tensor("card_id", ["a"]), tensor("colour", ["red"])], "/inputs/1/name"),
        ([tensor("card_id", ["a"], [2])], "/inputs/0/shape"),
        ([tensor("card_id", [["a"] * 9_000], [9_000])], "/inputs/0/data/0"),
        ([tensor("card_id", [1])], "/inputs/0/data/0"),
        ([{**tensor("card_id", ["a"]), "datatype": "FP64"}], "/inputs/0/datatype"),
        ([tensor("card_id", ["a"]), tensor("market_price", ["1"])], "/inputs/1/data/0"),
        ([tensor("card_id", ["a"] * 1_001)], "/inputs"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_malformed_requests(gateway: Gateway, inputs: list[Any], pointer: str) -> None:
    status, name = (
        (422, "invalid") if len(inputs) == 1 and len(inputs[0]["data"]) > 1_000 else (409, "misfit")
    )
    problem: Any = assert_problem(
        gateway.post("/v2/models/pokewatch/infer", {"inputs": inputs}), status, name
    )
    assert problem["errors"][0]["pointer"] == pointer
    assert problem["error"] == problem["detail"]


def test_outputs_must_be_distinct(gateway: Gateway) -> None:
    body = {"inputs": [tensor("card_id", ["card_4"])], "outputs": [{"name": "reason"}] * 2}
    problem: Any = assert_problem(gateway.post("/v2/models/pokewatch/infer", body), 409, "misfit")
    assert problem["errors"][0]["pointer"] == "/outputs/1/name"
    assert problem["detail"].endswith("each at most once, got 'reason'")


def test_the_name_of_an_unknown_tensor_is_named(gateway: Gateway) -> None:
    body = {"inputs": [tensor("card_id", ["a"]), tensor("colour", ["red"])]}
    problem: Any = assert_problem(gateway.post("/v2/models/pokewatch/infer", body), 409, "misfit")
    assert problem["detail"].endswith("each at most once, got 'colour'")


ONE = tensor("card_id", ["card_4"])
LONG = "x" * 65


@pytest.mark.parametrize("model", ["pokewatch", "fair-price", "decision"])
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"inputs": [ONE], "outputs": [{"name": "status"}] * 17}, "/outputs"),
        ({"inputs": [ONE] * 17}, "/inputs"),
        ({"inputs": [ONE], "parameters": {f"p{n}": n for n in range(17)}}, "/parameters"),
        (
            {"inputs": [{**ONE, "parameters": {f"p{n}": n for n in range(17)}}]},
            "/inputs/0/parameters",
        ),
        ({"inputs": [{**ONE, "name": LONG}]}, "/inputs/0/name"),
        ({"inputs": [{**ONE, "datatype": LONG}]}, "/inputs/0/datatype"),
        ({"inputs": [{**ONE, "shape": [1] * 9}]}, "/inputs/0/shape"),
        ({"inputs": [ONE], "outputs": [{"name": LONG}]}, "/outputs/0/name"),
        ({"inputs": [ONE], "id": "x" * 257}, "/id"),
        ({"inputs": [ONE], "parameters": {LONG: 1}}, "/parameters"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_names_and_counts_are_bounded(
    gateway: Gateway, model: str, body: Any, pointer: str
) -> None:
    problem: Any = assert_problem(gateway.post(f"/v2/models/{model}/infer", body), 422, "invalid")
    assert problem["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("model", ["pokewatch", "fair-price", "decision"])
@pytest.mark.parametrize(
    "more",
    [
        {"outputs": [{"name": "status"}] * 8_001},
        {"parameters": {"deep": [[]] * 8_001}},
        {"id": "," * 16_001},
    ],
    ids=["outputs", "lists", "text"],
)
def test_a_body_of_too_many_values_is_refused(
    gateway: Gateway, model: str, more: dict[str, Any]
) -> None:
    response = gateway.post(f"/v2/models/{model}/infer", {"inputs": [ONE], **more})
    assert_problem(response, 413, "too-large")


def test_the_largest_allowed_request_is_answered(gateway: Gateway) -> None:
    rows, number = 1_000, 10.123456789012345
    floats = {name: [[number]] * rows for name in ("market_price", "fair_price", "lower", "upper")}
    inputs = [
        {"name": name, "shape": [rows, 1], "datatype": "FP64", "data": data}
        for name, data in floats.items()
    ]
    for name in ("buy_threshold_pct", "sell_threshold_pct"):
        data = [[-0.1 if name.startswith("buy") else 0.1]] * rows
        inputs.append({"name": name, "shape": [rows, 1], "datatype": "FP64", "data": data})
    inputs.append(
        {
            "name": "status",
            "shape": [rows, 1],
            "datatype": "BYTES",
            "data": [["unconfirmed_jump"]] * rows,
        }
    )
    assert gateway.post("/v2/models/decision/infer", {"inputs": inputs}).status_code == 200
    cards = {
        "name": "card_id",
        "shape": [rows, 1],
        "datatype": "BYTES",
        "data": [["x" * 80]] * rows,
    }
    dates = {
        "name": "date",
        "shape": [rows, 1],
        "datatype": "BYTES",
        "data": [["2026-01-01"]] * rows,
    }
    prices = {
        "name": "market_price",
        "shape": [rows, 1],
        "datatype": "FP64",
        "data": [[number]] * rows,
    }
    assert (
        gateway.post("/v2/models/pokewatch/infer", {"inputs": [cards, dates, prices]}).status_code
        == 200
    )


def test_refusals_are_passed_on(gateway: Gateway) -> None:
    problem = assert_problem(
        gateway.post("/v2/models/decision/infer", {"inputs": [tensor("card_id", ["a"])]}),
        409,
        "misfit",
    )
    assert "unknown input 'card_id'" in str(problem["error"])


def test_a_user_supplied_status_is_the_reason(gateway: Gateway) -> None:
    inputs = [tensor(name, [[9.0]], [1, 1]) for name in ("market_price", "fair_price")] + [
        tensor("status", [["mine"]], [1, 1])
    ]
    response = gateway.post("/v2/models/decision/infer", {"inputs": inputs})
    assert response.status_code == 200, response.text
    assert {output["name"]: output["data"] for output in response.json()["outputs"]}["reason"] == [
        "mine"
    ]


def test_a_status_may_end_with_any_character(gateway: Gateway) -> None:
    """A 502 of the gateway would blame the model server for what the caller has sent."""
    inputs = [tensor("market_price", [90.0]), tensor("fair_price", [100.0])]
    response = gateway.post(
        "/v2/models/decision/infer", {"inputs": [*inputs, tensor("status", ["mine\0"])]}
    )
    assert response.status_code == 200, response.text
    reasons = [each for each in response.json()["outputs"] if each["name"] == "reason"]
    assert reasons[0]["data"] == ["mine"]


def test_many_rows_need_the_batch_scope(gateway: Gateway) -> None:
    key = gateway.store.create("reader", scopes=["read"])
    gateway.app.assembly.key_cache.refresh()
    one, two = ({"inputs": [tensor("card_id", ["card_4"] * rows)]} for rows in (1, 2))
    for model in ("pokewatch", "fair-price"):
        assert gateway.post(f"/v2/models/{model}/infer", one, key=key.key).status_code == 200
        assert_problem(
            gateway.post(f"/v2/models/{model}/infer", two, key=key.key), 403, "forbidden"
        )


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["index", "models/fair-price/load", "models/decision/unload"])
def test_the_repository_api_is_not_exposed(gateway: Gateway, method: str, path: str) -> None:
    assert gateway.ask(method, f"/v2/repository/{path}").status_code == 404


def test_unknown_models(gateway: Gateway) -> None:
    for path in ("", "/ready"):
        assert_problem(gateway.get(f"/v2/models/other{path}"), 404, "unknown-model")
    assert_problem(gateway.post("/v2/models/other/infer", {"inputs": []}), 404, "unknown-model")


def test_tritonclient(gateway: Gateway) -> None:
    headers = {"X-API-Key": gateway.key.key}
    with triton.InferenceServerClient(gateway.url.removeprefix("http://")) as client:
        assert client.is_server_live(headers=headers)
        assert client.is_server_ready(headers=headers)
        for model in ("pokewatch", "fair-price", "decision"):
            assert client.is_model_ready(model, headers=headers)
            assert client.get_model_metadata(model, headers=headers)["name"] == model
        cards = _input("card_id", np.array([b"card_4", b"card_5"], dtype=object))
        answer = client.infer("pokewatch", [cards], headers=headers)
        assert [str(signal) for signal in answer.as_numpy("signal")] == ["HOLD", "HOLD"]
        prices = client.infer("fair-price", [cards], headers=headers)
        assert prices.as_numpy("fair_price").tolist() == [5.04, 6.04]
        judged = [_input("market_price", np.array([90.0])), _input("fair_price", np.array([100.0]))]
        assert str(client.infer("decision", judged, headers=headers).as_numpy("signal")[0]) == "BUY"
        with pytest.raises(InferenceServerException, match="send a valid API key"):
            client.infer("pokewatch", [cards])
        cards.set_data_from_numpy(np.array([b"card_4", b"card_5"], dtype=object), binary_data=True)
        with pytest.raises(InferenceServerException, match="binary_data=False"):
            client.infer("pokewatch", [cards], headers=headers)


def _input(name: str, values: np.ndarray) -> triton.InferInput:
    found = triton.InferInput(
        name, list(values.shape), "BYTES" if values.dtype == object else "FP64"
    )
    found.set_data_from_numpy(values, binary_data=False)
    return found
