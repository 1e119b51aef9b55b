from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pokewatch.gateway.metrics import Metrics
from tests.conftest import ROOT


def test_requests_are_counted_by_route_and_time() -> None:
    metrics = Metrics()
    for seconds in (0.0005, 0.001, 0.3, 9.0):
        metrics.requests.add("/fair_price", "POST", 200, seconds)
    metrics.requests.add("/fair_price", "POST", 404, 0.002)
    found = {family.name: family for family in text_string_to_metric_families(generate_latest(metrics.registry).decode())}
    counts = {sample.labels["status"]: sample.value for sample in found["pokewatch_gateway_requests"].samples}
    assert counts == {"200": 4, "404": 1}
    times = {sample.labels.get("le", sample.name): sample.value for sample in found["pokewatch_gateway_request_seconds"].samples}
    assert (times["0.001"], times["0.0025"], times["0.5"], times["+Inf"]) == (2, 3, 4, 5)
    assert times["pokewatch_gateway_request_seconds_count"] == 5


def test_every_metric_is_described() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    names = [family.name for family in Metrics().registry.collect()]
    assert [name for name in names if name not in text] == []
