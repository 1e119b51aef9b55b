"""Random requests against a running server: never a 5xx, and 200 exactly for valid requests."""

import math
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving.server import Server

pytestmark = pytest.mark.integration

KINDS = {
    "fair-price": {"card_id": "BYTES", "date": "BYTES", "market_price": "FP64"},
    "decision": {
        "market_price": "FP64",
        "fair_price": "FP64",
        "lower": "FP64",
        "upper": "FP64",
        "status": "BYTES",
        "buy_threshold_pct": "FP64",
        "sell_threshold_pct": "FP64",
    },
}
OUTPUTS = {
    "fair-price": ["card_id", "date", "market_price", "fair_price", "lower", "upper", "status"],
    "decision": ["signal", "deviation_pct", "confidence", "reason"],
}
REQUIRED = {"fair-price": {"card_id"}, "decision": {"market_price", "fair_price"}}
THRESHOLDS = {"buy_threshold_pct", "sell_threshold_pct"}

texts = st.sampled_from(
    [
        "card_4",
        "tcgplayer-5-normal",
        "nobody",
        "",
        "2026-01-03",
        "2026-13-45",
        "ok",
        "stale_price",
        "é\n",
        "x" * 300,
    ]
)
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from([100.0, -0.1, 0.15, 0.0]),
    st.integers(-5, 200),
)
oddities = st.one_of(
    st.none(),
    st.booleans(),
    st.lists(st.integers(), max_size=2),
    st.just({}),
    st.just(10**25),
    st.just(1e308),
)


@st.composite
def tensors(draw: st.DrawFn, name: str, datatype: str, rows: int) -> dict[str, Any]:
    """Return a mostly valid tensor; sometimes one thing about it is wrong."""
    fault = draw(
        st.sampled_from([None] * 12 + ["values", "length", "shape", "datatype", "element", "data"])
    )
    sample = texts if datatype == "BYTES" else numbers
    count = rows if fault != "length" else draw(st.integers(0, 5))
    data: Any = [draw(sample) for _ in range(count)]
    if fault == "values":
        data = [draw(texts if datatype == "FP64" else numbers) for _ in range(count)]
    if fault == "element" and data:
        data[draw(st.integers(0, len(data) - 1))] = draw(oddities)
    if fault == "data":
        data = draw(oddities)
    shape = draw(st.sampled_from([[count], [count, 1]]))
    if fault == "shape":
        shape = draw(st.lists(st.integers(-2, 5), max_size=3))
    if fault == "datatype":
        datatype = draw(st.sampled_from(["FP32", "INT64", "BOOL", "BYTES", "FP64", "", "TEXT"]))
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    model = draw(st.sampled_from(sorted(KINDS)))
    rows = draw(st.integers(1, 4))
    optional = draw(
        st.lists(
            st.sampled_from(sorted(set(KINDS[model]) - REQUIRED[model])), unique=True, max_size=3
        )
    )
    names = [*sorted(REQUIRED[model]), *optional]
    if draw(st.integers(0, 15)) == 0:
        names = draw(st.lists(st.sampled_from([*KINDS[model], "price", ""]), max_size=4))
    content: dict[str, Any] = {
        "inputs": [draw(tensors(name, KINDS[model].get(name, "FP64"), rows)) for name in names]
    }
    if draw(st.integers(0, 3)) == 0:
        content["outputs"] = [
            {"name": name}
            for name in draw(st.lists(st.sampled_from([*OUTPUTS[model], "price"]), max_size=3))
        ]
    if draw(st.integers(0, 7)) == 0:
        content["id"] = draw(st.one_of(st.text(max_size=5), st.integers()))
    return model, content


def is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def is_valid_tensor(name: str, given_tensor: dict[str, Any], model: str) -> bool:
    """Return whether a tensor matches its declaration."""
    data, datatype = given_tensor["data"], given_tensor["datatype"]
    if datatype != KINDS[model].get(name) or type(data) is not list or not data:
        return False
    if given_tensor["shape"] not in ([len(data)], [len(data), 1]):
        return False
    if given_tensor["shape"][1:] and all(type(value) is list and len(value) == 1 for value in data):
        data = [value for [value] in data]  # the rows of [n, 1] may also be written as such
    if datatype == "BYTES":
        return all(type(value) is str for value in data)
    if not all(value is None or is_number(value) for value in data):
        return False
    if name in THRESHOLDS and len(data) == 1 and data[0] is not None:
        return bool(-1 < data[0] <= 0 if name.startswith("buy") else data[0] >= 0)
    return True  # an invalid row fails alone


def is_valid(model: str, content: dict[str, Any]) -> bool:
    names = [each["name"] for each in content["inputs"]]
    wanted = [each["name"] for each in content.get("outputs", [])]
    if (
        len(set(names)) != len(names)
        or not REQUIRED[model] <= set(names)
        or not set(wanted) <= set(OUTPUTS[model])
    ):
        return False
    if len(set(wanted)) != len(wanted) or not isinstance(content.get("id", ""), str):
        return False
    by_name = {each["name"]: each for each in content["inputs"]}
    if not all(is_valid_tensor(name, each, model) for name, each in by_name.items()):
        return False
    rows = len(by_name["card_id" if model == "fair-price" else "market_price"]["data"])
    return all(
        len(each["data"]) == rows or (name in THRESHOLDS and len(each["data"]) == 1)
        for name, each in by_name.items()
    )


def check_response(client: httpx.Client, model: str, content: dict[str, Any]) -> None:
    response = client.post(f"/v2/models/{model}/infer", json=content)
    found = response.json()
    if not is_valid(model, content):
        assert 400 <= response.status_code < 500, (content, found)
        assert found["error"]
        return
    assert response.status_code == 200, (content, found)
    rows = len(
        content["inputs"][
            [each["name"] for each in content["inputs"]].index(
                "card_id" if model == "fair-price" else "market_price"
            )
        ]["data"]
    )
    names = [each["name"] for each in content.get("outputs") or []] or OUTPUTS[model]
    assert [(each["name"], each["shape"], len(each["data"])) for each in found["outputs"]] == [
        (name, [rows], rows) for name in names
    ]


@pytest.mark.parametrize(
    "examples",
    [300, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])],
    ids=str,
)
def test_random_requests(server: Server, examples: int) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client:

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(requests())
        def run(request: tuple[str, dict[str, Any]]) -> None:
            check_response(client, *request)

        run()
        assert client.get("/v2/health/ready").status_code == 200
