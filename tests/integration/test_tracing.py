"""One trace from a request to the models, and one of a run, in the processes that people run."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx
import pytest
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub

from tests.in_process.processes import RunningGateway, gateway_process
from tests.integration.flow import run_flow
from tests.integration.test_flow_retries import FAILING
from tests.serving.books import make_book
from tests.serving.server import models_folder, point_at, running
from tests.tracing.collector import Collector, Received, collecting

TRACE = "0af7651916cd43dd8448eb211c80319c"
GIVEN = f"00-{TRACE}-b7ad6b7169203331-01"


def chain(collector: Collector, trace: str, last: str) -> list[tuple[str, str]]:
    """Return the service and name of a span and its ancestors, from the first to `last`."""
    by_id = {each.id: each for each in collector.spans if each.trace == trace}
    found: list[tuple[str, str]] = []
    span: Received | None = collector.of(trace)[last]
    while span is not None:
        found.append((span.service, span.name))
        span = by_id.get(span.parent)
    return found[::-1]


@pytest.mark.slow
def test_gateway_and_models_are_one_trace(tmp_path: Path) -> None:
    models = tmp_path / "models"
    ports = models_folder(models)
    point_at(models, tmp_path / "book", make_book(tmp_path / "book"), "7")
    with collecting() as collector:
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "POKEWATCH_HOME": str(tmp_path / "home"),
            "POKEWATCH_ACCESS_LOG": "true",
        }
        with running(models, ports, settings) as server:
            settings["POKEWATCH_MLSERVER_URL"] = server.url
            with gateway_process(tmp_path / "home", **settings) as gateway:
                asked = httpx.post(
                    f"{gateway.url}/fair_price",
                    json={"card_id": "card_1"},
                    headers={"X-API-Key": gateway.key, "traceparent": GIVEN},
                )
                assert asked.status_code == 200, asked.text
                assert gateway.get("/cards?limit=1").status_code == 200
                _ask_at_once(gateway)
                gateway.process.send_signal(signal.SIGTERM)
                gateway.process.wait(30)
            _ask_by_grpc(server.grpc)
            server.stop()
    steps = [
        ("pokewatch-gateway", "POST /fair_price"),
        ("pokewatch-gateway", "POST /v2/models/{model}/infer"),
        ("pokewatch-mlserver", "POST /v2/models/{{model_name}}/infer"),
        ("pokewatch-mlserver", "infer {model}"),
    ]
    for model in ("fair-price", "decision"):
        expected = [(service, name.format(model=model)) for service, name in steps]
        assert chain(collector, TRACE, f"infer {model}") == expected
    assert f'"trace":"00-{TRACE}-{collector.of(TRACE)["POST /fair_price"].id}-01"' in gateway.log()
    [catalog] = {each.trace for each in collector.spans if each.name == "GET /cards"}
    assert [name for _, name in chain(collector, catalog, "POST /catalog/{query}")] == [
        "GET /cards",
        "POST /catalog/search",
        "POST /catalog/{query}",
    ]
    calls = [each for each in collector.spans if each.links]
    assert calls, "requests that came at once share calls"
    requests = {each.id for each in collector.spans if each.name == "POST /fair_price"}
    assert {link for call in calls for link in call.links} <= requests
    by_grpc = collector.of("1" * 32)
    assert [(each.name, each.parent) for each in by_grpc.values()] == [
        ("infer fair-price", "2" * 16)
    ]
    assert not [each for each in collector.spans if each.failed or "ready" in each.name]


def _ask_at_once(gateway: RunningGateway) -> None:
    def ask(number: int) -> int:
        body, headers = {"card_id": f"card_{number}"}, {"X-API-Key": gateway.key}
        return client.post(f"{gateway.url}/fair_price", json=body, headers=headers).status_code

    with ThreadPoolExecutor(20) as pool, httpx.Client(timeout=30) as client:
        assert set(pool.map(ask, range(2, 32))) == {200}


def _ask_by_grpc(address: str) -> None:
    contents = pb.InferTensorContents(bytes_contents=[b"card_1"])
    tensor = pb.ModelInferRequest.InferInputTensor(
        name="card_id", datatype="BYTES", shape=[1], contents=contents
    )
    request = pb.ModelInferRequest(model_name="fair-price", inputs=[tensor])
    metadata = [("traceparent", f"00-{'1' * 32}-{'2' * 16}-01")]
    with grpc.insecure_channel(address) as channel:
        GRPCInferenceServiceStub(channel).ModelInfer(request, metadata=metadata)


@pytest.mark.slow
def test_the_steps_of_a_run_are_one_trace(tmp_path: Path) -> None:
    with collecting() as collector:
        arguments = ("run", "--attempts", str(tmp_path / "attempts"), "--error")
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        ran = run_flow(tmp_path, *arguments, "none", flow=FAILING, **settings)
        assert ran.returncode == 0, ran.stdout
        [first] = {each.trace for each in collector.spans}
        failed = run_flow(tmp_path, *arguments, "SourceError", flow=FAILING, **settings)
        assert failed.returncode == 1, failed.stdout
    spans = collector.of(first)
    run = spans["FailingFlow"]
    assert {name: each.parent for name, each in spans.items()} == {
        "FailingFlow": "",
        "start": run.id,
        "end": run.id,
    }
    assert spans["end"].attributes["pokewatch.run"] == run.attributes["pokewatch.run"]
    others = [each for each in collector.spans if each.trace != first]
    assert len({each.trace for each in others}) == 1
    assert [(each.name, each.failed) for each in others] == [
        ("FailingFlow", False),
        *[("start", True)] * 3,
    ]
