import subprocess
from collections.abc import Callable

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pokewatch.gateway.metrics import Metrics, ServedVersions
from tests.gateway.conftest import Gateway
from tests.polling import eventually
from tests.reference.metrics import full_name, gateway_metrics
from tests.serving.server import Server
from tests.tools import require_tool


def test_requests_are_counted_by_status_and_duration() -> None:
    metrics = Metrics()
    for seconds in (0.0005, 0.001, 0.3, 9.0):
        metrics.requests.add("/fair_price", "POST", 200, seconds)
    metrics.requests.add("/fair_price", "POST", 404, 0.002)
    found = {
        family.name: family
        for family in text_string_to_metric_families(generate_latest(metrics.registry).decode())
    }
    counts = {
        sample.labels["status"]: sample.value
        for sample in found["pokewatch_gateway_requests"].samples
    }
    assert counts == {"200": 4, "404": 1, "500": 0, "502": 0, "503": 0, "504": 0}
    times = {
        sample.labels.get("le", sample.name): sample.value
        for sample in found["pokewatch_gateway_request_seconds"].samples
    }
    assert (times["0.001"], times["0.0025"], times["0.5"], times["+Inf"]) == (2, 3, 4, 5)
    assert times["pokewatch_gateway_request_seconds_count"] == 5


def test_failures_of_a_route_start_at_zero() -> None:
    metrics = Metrics()
    metrics.requests.add("/fair_price", "POST", 200, 0.001)
    value = metrics.registry.get_sample_value
    labels = {"route": "/fair_price", "method": "POST"}
    assert [
        value("pokewatch_gateway_requests_total", labels | {"status": str(status)})
        for status in (500, 502, 503, 504)
    ] == [0.0] * 4


def test_the_latency_objective_is_a_bucket() -> None:
    metrics = Metrics()
    metrics.requests.add("/fair_price", "POST", 200, 0.12)
    metrics.requests.add("/fair_price", "POST", 200, 0.16)
    assert (
        metrics.registry.get_sample_value(
            "pokewatch_gateway_request_seconds_bucket", {"route": "/fair_price", "le": "0.15"}
        )
        == 1.0
    )


def test_only_the_current_version_is_exported(
    mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    gateway = make_gateway(mlserver.url)
    eventually(lambda: gateway.get("/ready").status_code, lambda status: status == 200)
    shown = gateway.metrics()
    assert (
        'pokewatch_gateway_served_info{data_version="dv-1",market="",model_version="7"} 1.0'
        in shown
    )
    assert 'pokewatch_gateway_data_last_day_timestamp_seconds{market=""} 1.7675712e+09' in shown

    served = ServedVersions()
    served.of("a").versions = ("7", "dv-1")
    served.of("a").versions = ("8", "dv-2")
    served.of("b").versions = ("1", "dv-3")
    served.remove("b")
    labels = [sample.labels for family in served.collect() for sample in family.samples]
    assert labels == [{"model_version": "8", "data_version": "dv-2", "market": "a"}]


def test_every_prediction_is_counted(
    mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    """Cached responses and V2 rows too. A search does not count as a change of version."""
    gateway = make_gateway(mlserver.url, answer_cache=True)
    eventually(lambda: gateway.get("/ready").status_code, lambda status: status == 200)
    for _ in range(3):
        assert gateway.post("/fair_price", {"card_id": "card_4"}).json()["signal"] == "HOLD"
    inputs = [
        {
            "name": "card_id",
            "shape": [3],
            "datatype": "BYTES",
            "data": ["card_4", "nobody", "card_5"],
        }
    ]
    found = gateway.post(
        "/v2/models/pokewatch/infer", {"inputs": inputs, "outputs": [{"name": "signal"}]}
    ).json()
    signals = ["HOLD"] * 3 + found["outputs"][0]["data"][::2]
    for query in "abc":
        assert gateway.get(f"/cards?q={query}").status_code == 200
    shown = gateway.metrics()
    for signal in ("BUY", "SELL", "HOLD"):
        assert (
            f'pokewatch_gateway_predictions_total{{market="",signal="{signal}"}} '
            f"{signals.count(signal)}.0" in shown
        )
    assert 'pokewatch_gateway_version_changes_total{market=""} 0.0' in shown
    assert 'pokewatch_gateway_cache_total{market="",result="hit"} 2.0' in shown


def test_requests_without_a_key_are_counted(
    mlserver: Server, make_gateway: Callable[..., Gateway]
) -> None:
    gateway = make_gateway(mlserver.url, failed_key_rate="2/hour")
    statuses = [gateway.get("/cards", key=key).status_code for key in ("", "pw_wrong", "pw_wrong")]
    assert statuses == [401, 401, 429]
    assert "pokewatch_gateway_keyless_total 3.0" in gateway.metrics()


def test_every_metric_of_a_gateway_is_linted_and_in_the_reference(gateway: Gateway) -> None:
    text = gateway.metrics()
    shown = {
        line.split()[2]
        for line in text.splitlines()
        if line.startswith("# TYPE pokewatch_") and "_created " not in line
    }
    assert shown == {full_name(metric) for metric in gateway_metrics()}
    assert "process_start_time_seconds " in text
    done = subprocess.run(
        [require_tool("promtool"), "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if line.startswith("pokewatch_")] == []
