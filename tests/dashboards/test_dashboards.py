"""The dashboards, and their queries in a real Prometheus that scrapes a real stack."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.dashboards.dashboards import DASHBOARDS, WIDTH, Dashboard, write
from tests.dashboards.panels import COUNTED
from tests.gateway.conftest import Gateway, gateway_at
from tests.monitoring.prometheus import Prometheus, prometheus, shortened, targets
from tests.monitoring.rulebook import MONITORING, records, rules
from tests.polling import eventually
from tests.reference.metrics import full_name, gateway_metrics, runtime_metrics
from tests.serving.books import FACTS, make_book
from tests.serving.server import models_folder, point_at, running

EXPRESSIONS = sorted(
    {
        expression
        for dashboard in DASHBOARDS
        for panel in dashboard.panels()
        for expression, _ in panel.queries
    }
)
FIGURES = {
    "mape": 4.2,
    "rmae_last": 0.93,
    "coverage_90": 0.9,
    "coverage_90_low": 0.88,
    "renewed_coverage_90_low": 0.85,
    "coverage_90_high": 0.92,
    "enough_origins": 1.0,
}


def test_the_committed_files_are_the_generated_ones(tmp_path: Path) -> None:
    write(tmp_path)
    found = {path.name: path.read_text() for path in (MONITORING / "dashboards").iterdir()}
    assert found == {path.name: path.read_text() for path in tmp_path.iterdir()}, (
        "python -m tests.dashboards.dashboards writes them"
    )


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.name)
def test_panels_have_places_of_their_own(dashboard: Dashboard) -> None:
    panels: list[dict[str, Any]] = json.loads(dashboard.to_json())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= WIDTH for place in places)
    assert not [pair for pair in combinations(places, 2) if _overlap(*pair)]


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "w"), ("y", "h"))
    )


def test_the_dashboards_count_the_requests_that_the_objectives_count() -> None:
    expressions = [rule["expr"] for rule in rules() if "pokewatch_gateway_request" in rule["expr"]]
    assert expressions
    assert all(COUNTED in expression for expression in expressions)


def test_every_metric_of_ours_is_shown_somewhere() -> None:
    """What nobody looks at and nothing alerts on need not be counted."""
    texts = [*EXPRESSIONS, *(rule["expr"] for rule in rules())]
    used = {
        re.sub(r"_(bucket|count|sum)$", "", name)
        for text in texts
        for name in re.findall(r"\bpokewatch_[a-z_0-9]+", text)
    }
    assert used == {full_name(metric) for metric in (*gateway_metrics(), *runtime_metrics())}
    recorded = {name for text in texts for name in re.findall(r"\bpokewatch:[a-z_0-9:]+", text)}
    assert recorded == set(records())


@dataclass(frozen=True)
class Stack:
    prometheus: Prometheus
    gateway: Gateway


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """MLServer with all figures, a gateway that has served requests, and Prometheus for both."""
    folder = tmp_path_factory.mktemp("stack")
    facts = replace(FACTS, created_at=datetime.now(UTC) - timedelta(hours=1), metrics=FIGURES)
    digest = make_book(folder / "book", facts=facts)
    (folder / "home" / "monitoring").mkdir(parents=True)
    look_back = {
        "measured_on": "2026-03-02",
        "figures": {
            "coverage_90": 0.9,
            "interval_coverage": 0.9,
            "interval_coverage_low": 0.87,
            "interval_coverage_high": 0.93,
            "interval_coverage_n": 4_000,
            "interval_coverage_renewed_low": 0.85,
            "interval_coverage_renewed_n": 2_000,
            "rmae_last": 0.95,
            "drift": 0,
        },
    }
    (folder / "home" / "monitoring" / "latest.json").write_text(json.dumps(look_back))
    ports = models_folder(folder / "models")
    point_at(folder / "models", folder / "book", digest, "7")
    with (
        running(folder / "models", ports, {"POKEWATCH_HOME": str(folder / "home")}) as server,
        gateway_at(server.url, folder) as gateway,
        prometheus(folder, targets(gateway, server), shortened(folder, 1)) as found,
    ):
        _ask_all_sorts(gateway)
        eventually(lambda: found.query("pokewatch_gateway_coalesced_rows_count"), bool)
        _ask_all_sorts(gateway)
        eventually(
            lambda: found.query("sum(increase(pokewatch_gateway_predictions_total[1m])) >= 500"),
            bool,
        )
        with _steady_requests(gateway):
            yield Stack(found, gateway)


@contextmanager
def _steady_requests(gateway: Gateway) -> Iterator[None]:
    """Send a request every second: rates over no requests at all are not numbers."""
    done = threading.Event()

    def send() -> None:
        while not done.wait(1.0):
            gateway.post("/fair_price", {"card_id": "card_4"})

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _ask_all_sorts(gateway: Gateway) -> None:
    for _ in range(2):
        eventually(
            lambda: gateway.post("/fair_price", {"card_id": "card_4"}).status_code,
            lambda status: status == 200,
        )
    cards = [{"card_id": f"card_{number % 40}"} for number in range(600)]
    answers: list[httpx.Response] = [
        gateway.post("/fair_price/batch", {"cards": cards}),
        gateway.post("/fair_price", {"card_id": "nobody"}),
        gateway.post("/signal", {"market_price": 90.0, "fair_price": 100.0}),
        gateway.get("/cards", key="pw_wrong"),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 200, 401]


@pytest.mark.integration
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_panel_is_answered_with_something(expression: str, stack: Stack) -> None:
    def is_number(found: list[dict[str, Any]]) -> bool:
        return bool(found) and all(
            sample["value"][1] not in ("NaN", "+Inf", "-Inf") or "histogram_quantile" in expression
            for sample in found
        )

    eventually(lambda: stack.prometheus.query(expression), is_number, seconds=30)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule.get("alert") or rule["record"]))
def test_every_rule_is_taken(rule: dict[str, Any], stack: Stack) -> None:
    found = stack.prometheus.query(rule["expr"])
    if "record" in rule:
        assert found or rule["record"].startswith("pokewatch:gateway"), rule


def test_prometheus_has_nothing_against_any_rule_and_a_quiet_stack_wakes_nobody_but_for_old_data(
    stack: Stack,
) -> None:
    assert stack.prometheus.faults() == []
    assert stack.prometheus.firing() <= {"StaleData", "MonitoringMissing"}
