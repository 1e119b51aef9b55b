"""MLServer serving the registry's champion: start-up, reloads, failed loads."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import httpx
import pytest
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from pokewatch.registry import CHAMPION, RegisteredModel, Registry
from pokewatch.settings import Home
from tests.serving.books import FACTS, make_book
from tests.serving.server import (
    Server,
    columns,
    infer,
    models_folder,
    running,
    started,
    tensor,
    wait_until,
)

pytestmark = pytest.mark.integration

CARD = tensor("card_id", ["card_4"])


def register(folder: Path, scale: float, data_version: str) -> RegisteredModel:
    """Register a version whose fair prices are `scale` times the market prices."""
    digest = make_book(folder, scale=scale, facts=replace(FACTS, data_version=data_version))
    registry = Registry()
    run_id = registry.log_run(
        folder, parameters={}, metrics={}, tags={"data_version": data_version}
    )
    return registry.register(run_id, digest)


def reload(server: Server) -> httpx.Response:
    return httpx.post(f"{server.url}/v2/repository/models/fair-price/load", timeout=60)


def served(server: Server) -> tuple[str, float]:
    response = infer(server, "fair-price", CARD)
    return response.json()["parameters"]["model_version"], columns(response)["fair_price"][0]


@pytest.fixture
def champion(registry_home: Path, tmp_path: Path) -> RegisteredModel:
    first = register(tmp_path / "first", 1.0, "dv-1")
    Registry().set_alias(CHAMPION, first.version)
    return first


@pytest.fixture(
    params=[0, pytest.param(2, marks=pytest.mark.slow)], ids=["no workers", "2 workers"]
)
def server(
    request: pytest.FixtureRequest, tmp_path: Path, champion: RegisteredModel
) -> Iterator[Server]:
    ports = models_folder(tmp_path / "models", workers=request.param)
    with running(tmp_path / "models", ports) as found:
        yield found


def test_reloads(
    server: Server, champion: RegisteredModel, registry_home: Path, tmp_path: Path
) -> None:
    """A load serves the new champion. A damaged copy is fetched again.

    If the registry's copy is damaged too, the load fails and the old book stays.
    """
    assert served(server) == (champion.version, 5.04)
    assert (Home.read().books / champion.digest / "manifest.json").exists()
    parameters = infer(server, "fair-price", CARD).json()["parameters"]
    assert (parameters["data_version"], parameters["run_id"]) == ("dv-1", champion.run_id)

    second = register(tmp_path / "second", 2.0, "dv-2")
    Registry().download_book(second)  # the server fetches the others itself
    assert served(server) == (champion.version, 5.04)
    Registry().set_alias(CHAMPION, second.version)
    assert reload(server).status_code == 200
    assert served(server) == (second.version, 10.08)

    third = register(tmp_path / "third", 3.0, "dv-3")
    Registry().set_alias(CHAMPION, third.version)
    damaged = Registry().download_book(third) / "fair.arrow"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert reload(server).status_code == 200
    assert served(server) == (third.version, 15.12)
    assert (
        httpx.post(f"{server.url}/catalog/status", json={}).json()["model_version"] == third.version
    )

    fourth = register(tmp_path / "fourth", 4.0, "dv-4")
    stored = (
        registry_home / "mlflow" / "artifacts" / fourth.run_id / "artifacts" / "book" / "fair.arrow"
    )
    stored.write_bytes(stored.read_bytes()[:-1])
    Registry().set_alias(CHAMPION, fourth.version)
    refused = reload(server)
    assert refused.status_code == 500
    assert "fair.arrow is damaged" in refused.json()["error"]
    assert served(server) == (third.version, 15.12)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_started_without_a_champion(registry_home: Path, tmp_path: Path, workers: int) -> None:
    """The server is live but not ready; every endpoint returns the reason.

    It serves the first champion once that is loaded.
    """
    ports = models_folder(tmp_path / "models", workers=workers)
    with started(tmp_path / "models", ports) as server:
        wait_until(server, "/v2/health/live", "/v2/models/decision/ready")
        _wait_for_the_log(
            server, "fair-price is not ready: no model is champion yet: run the pipeline first"
        )
        paths = ("/v2/health/ready", "/v2/models/fair-price/ready", "/v2/models/fair-price")
        responses = [httpx.get(f"{server.url}{path}") for path in paths]
        responses += [
            infer(server, "fair-price", CARD),
            httpx.post(f"{server.url}/catalog/status", json={}),
        ]
        for response in responses:
            assert (response.status_code, list(response.json())) == (503, ["error"])
            assert "no model is champion yet: run the pipeline first" in response.json()["error"]
        with grpc.insecure_channel(server.grpc) as channel, pytest.raises(grpc.RpcError) as error:
            GRPCInferenceServiceStub(channel).ModelInfer(
                pb.ModelInferRequest(model_name="fair-price")
            )
        assert error.value.code() == grpc.StatusCode.UNAVAILABLE
        assert reload(server).status_code == 503
        assert httpx.get(f"{server.url}/v2/health/live").status_code == 200
        assert server.process.poll() is None

        first = register(tmp_path / "first", 1.0, "dv-1")
        Registry().set_alias(CHAMPION, first.version)
        assert reload(server).status_code == 200
        assert served(server) == (first.version, 5.04)
        for path in paths:
            assert httpx.get(f"{server.url}{path}").status_code == 200
        assert (
            httpx.post(f"{server.url}/catalog/status", json={}).json()["model_version"]
            == first.version
        )
        assert server.stop() == 0


@pytest.mark.slow
def test_the_first_load_is_retried(registry_home: Path, tmp_path: Path) -> None:
    """A server that started without a champion retries the load by itself."""
    ports = models_folder(tmp_path / "models")
    with started(tmp_path / "models", ports) as server:
        wait_until(server, "/v2/health/live", "/v2/models/decision/ready")
        _wait_for_the_log(server, "no model is champion yet")
        first = register(tmp_path / "first", 1.0, "dv-1")
        Registry().set_alias(CHAMPION, first.version)
        wait_until(server, "/v2/models/fair-price/ready", "/v2/health/ready")
        assert served(server) == (first.version, 5.04)


@retry(
    stop=stop_after_delay(60),
    wait=wait_fixed(0.05),
    retry=retry_if_exception_type(AssertionError),
    reraise=True,
)
def _wait_for_the_log(server: Server, text: str) -> None:
    assert text in server.log()
