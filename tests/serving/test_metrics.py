import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.polling import eventually
from tests.reference.metrics import full_name, runtime_metrics
from tests.serving.books import FACTS, make_book
from tests.serving.server import Server, infer, models_folder, point_at, running, tensor
from tests.tools import require_tool

pytestmark = pytest.mark.integration

MODEL_INFO = (
    'pokewatch_model_info{{data_version="{data_version}",market="simulated-0",model="local_level",'
    'model_version="{model_version}",source="simulated"}}'
)


@contextmanager
def serving(tmp_path: Path, workers: int = 0) -> Iterator[Server]:
    ports = models_folder(tmp_path / "models", workers)
    point_at(tmp_path / "models", tmp_path / "book", make_book(tmp_path / "book"), "7")
    with running(tmp_path / "models", ports, {"POKEWATCH_HOME": str(tmp_path / "home")}) as server:
        yield server


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as server:
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
        'pokewatch_rows_total{market="simulated-0",status="ok"}': 1.0,
        'pokewatch_rows_total{market="simulated-0",status="thin_history"}': 1.0,
        'pokewatch_rows_total{market="simulated-0",status="unknown_card"}': 1.0,
        'pokewatch_decisions_total{signal="BUY"}': 1.0,
        'pokewatch_refused_requests_total{model="decision"}': 1.0,
        'pokewatch_request_seconds_count{model="fair-price"}': 1.0,
        'pokewatch_book_loads_total{outcome="served"}': 1.0,
        'pokewatch_book_loads_total{outcome="refused"}': 0.0,
        MODEL_INFO.format(data_version="dv-1", model_version="7"): 1.0,
        'pokewatch_book_cards{market="simulated-0"}': 40.0,
        'pokewatch_book_created_timestamp_seconds{market="simulated-0"}': 1772330400.0,
        'pokewatch_book_signal_ratio{market="simulated-0",signal="HOLD"}': 1.0,
        'pokewatch_book_status_ratio{market="simulated-0",status="thin_history"}': 1 / 40,
        'pokewatch_evaluation{market="simulated-0",metric="mape"}': 4.2,
    }.items() <= found.items()

    lines = [json.loads(line) for line in fresh.log().splitlines() if line.startswith("{")]
    (refusal,) = [
        line
        for line in lines
        if line.get("request_id") == "r-17" and line["logger"] == "pokewatch.serving"
    ]
    assert (refusal["level"], refusal["model"]) == ("WARNING", "decision")
    assert "'fair_price' is missing" in refusal["message"]

    started = found["pokewatch_runtime_start_time_seconds"]
    facts = replace(FACTS, data_version="dv-2", metrics={"rmae_last": 0.9})
    point_at(
        tmp_path / "models",
        tmp_path / "next",
        make_book(tmp_path / "next", scale=2.0, facts=facts),
        "8",
    )
    assert (
        httpx.post(f"{fresh.url}/v2/repository/models/fair-price/load", timeout=60).status_code
        == 200
    )
    found = metrics(fresh)
    described = {
        name: value
        for name, value in found.items()
        if name.startswith(("pokewatch_model_info", "pokewatch_evaluation"))
    }
    assert described == {
        MODEL_INFO.format(data_version="dv-2", model_version="8"): 1.0,
        'pokewatch_evaluation{market="simulated-0",metric="rmae_last"}': 0.9,
    }
    assert found['pokewatch_book_signal_ratio{market="simulated-0",signal="BUY"}'] == 1.0
    assert found["pokewatch_runtime_start_time_seconds"] == started

    point_at(tmp_path / "models", tmp_path / "next", "0" * 64, "9")
    assert (
        httpx.post(f"{fresh.url}/v2/repository/models/fair-price/load", timeout=60).status_code
        == 500
    )
    refused = metrics(fresh)
    assert refused['pokewatch_book_loads_total{outcome="refused"}'] == 1.0
    assert [name for name in refused if 'model_version="8"' in name] == [
        name for name in found if 'model_version="8"' in name
    ]


def test_every_metric_is_linted_and_in_the_reference(fresh: Server) -> None:
    for model in ("fair-price", "decision"):
        infer(fresh, model, tensor("nothing", [1.0]))
    shown = {
        line.split()[2]
        for line in fresh.metrics().splitlines()
        if line.startswith("# TYPE pokewatch_") and "_created " not in line
    }
    described = {full_name(metric) for metric in runtime_metrics()}
    assert shown == described
    done = subprocess.run(
        [require_tool("promtool"), "check", "metrics"],
        input=fresh.metrics(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if line.startswith("pokewatch_")] == []


def test_a_monitoring_run_is_exported_as_soon_as_it_is_written(
    fresh: Server, tmp_path: Path
) -> None:
    assert [name for name in metrics(fresh) if name.startswith("pokewatch_monitoring")] == []
    folder = tmp_path / "home" / "monitoring"
    folder.mkdir(parents=True)
    (folder / "latest.json").write_text(
        '{"measured_on": "2026-03-02", "figures": {"coverage_90": 0.84, "bias": null, "drift": 1}}'
    )
    found = eventually(
        lambda: {
            name: value
            for name, value in metrics(fresh).items()
            if name.startswith("pokewatch_monitoring")
        },
        lambda found: bool(found),
    )
    assert found == {
        'pokewatch_monitoring{market="simulated-0",metric="coverage_90"}': 0.84,
        'pokewatch_monitoring{market="simulated-0",metric="drift"}': 1.0,
        'pokewatch_monitoring_day_timestamp_seconds{market="simulated-0"}': 1772409600.0,
    }


@pytest.mark.slow
def test_with_workers_the_counters_are_shared_and_the_book_is_not_described(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, workers=1) as server:
        infer(server, "fair-price", tensor("card_id", ["card_4", "nobody"]))
        infer(server, "decision", tensor("market_price", [90.0]), tensor("fair_price", [100.0]))
        found = metrics(server)
        assert {
            'pokewatch_rows_total{market="simulated-0",status="ok"}': 1.0,
            'pokewatch_rows_total{market="simulated-0",status="unknown_card"}': 1.0,
            'pokewatch_decisions_total{signal="BUY"}': 1.0,
            'pokewatch_book_loads_total{outcome="served"}': 1.0,
        }.items() <= found.items()
        assert "pokewatch_runtime_start_time_seconds" in found
        assert [name for name in found if name.startswith("pokewatch_model_info")] == []
        assert "the gauges of the served book are exported only with 0" in server.log()
