import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serving.books import make_book
from tests.serving.server import Server, infer, models_folder, point_at, running, tensor


@pytest.fixture(params=[0, pytest.param(1, marks=pytest.mark.slow)], ids=["no workers", "1 worker"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    ports = models_folder(tmp_path / "models", workers=request.param)
    point_at(tmp_path / "models", tmp_path / "book", make_book(tmp_path / "book"), "7")
    with running(tmp_path / "models", ports) as server:
        yield server


def metrics(server: Server) -> dict[str, float]:
    found = re.findall(r"^(pokewatch_[^ ]*) ([^ \n]+)$", server.metrics(), re.MULTILINE)
    return {re.sub(r'pid="\d+",?', "", name): float(value) for name, value in found}


def test_metrics_and_logs(fresh: Server, tmp_path: Path) -> None:
    infer(fresh, "fair-price", tensor("card_id", ["card_4", "card_1", "nobody"]))
    infer(fresh, "decision", tensor("market_price", [90.0]), tensor("fair_price", [100.0]))
    body = {"inputs": [tensor("market_price", [90.0])]}
    httpx.post(f"{fresh.url}/v2/models/decision/infer", json=body, headers={"X-Request-Id": "r-17"})
    found = metrics(fresh)
    assert {
        'pokewatch_rows_total{status="ok"}': 1.0,
        'pokewatch_rows_total{status="thin_history"}': 1.0,
        'pokewatch_rows_total{status="unknown_card"}': 1.0,
        'pokewatch_decisions_total{signal="BUY"}': 1.0,
        'pokewatch_refused_requests_total{model="decision"}': 1.0,
        'pokewatch_request_seconds_count{model="fair-price"}': 1.0,
        'pokewatch_book_loads_total{outcome="served"}': 1.0,
        'pokewatch_model_info{data_version="dv-1",model_version="7"}': 1.0,
        "pokewatch_book_cards": 40.0,
        "pokewatch_book_created_timestamp_seconds": 1772330400.0,
        'pokewatch_evaluation{metric="mape"}': 4.2,
    }.items() <= found.items()

    lines = [json.loads(line) for line in fresh.log().splitlines() if line.startswith("{")]
    (refusal,) = [line for line in lines if line.get("request_id") == "r-17" and line["logger"] == "pokewatch.serving"]
    assert (refusal["level"], refusal["model"]) == ("WARNING", "decision")
    assert "'fair_price' is missing" in refusal["message"]

    point_at(tmp_path / "models", tmp_path / "next", make_book(tmp_path / "next", scale=2.0), "8")
    assert httpx.post(f"{fresh.url}/v2/repository/models/fair-price/load", timeout=60).status_code == 200
    found = metrics(fresh)
    assert found['pokewatch_model_info{data_version="dv-1",model_version="7"}'] == 0
    assert found['pokewatch_model_info{data_version="dv-1",model_version="8"}'] == 1
