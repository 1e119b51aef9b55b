"""The process as a whole: its metrics, and a stop that finishes what has begun."""

import signal
from collections.abc import Iterator

import httpx
import pytest

from tests.in_process.processes import RunningGateway, gateway_process
from tests.serving.books import make_book
from tests.serving.server import models_folder, point_at

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """One process for both tests: the last one stops it."""
    folder = tmp_path_factory.mktemp("in_process")
    models = folder / "models"
    models_folder(models)
    point_at(models, folder / "book", make_book(folder / "book"), "7")
    home = folder / "home"
    with gateway_process(home, "--in-process", POKEWATCH_MLSERVER_MODELS=str(models)) as found:
        yield found


def test_the_metrics_of_gateway_and_models_are_in_one_place(gateway: RunningGateway) -> None:
    url, headers = f"{gateway.url}/fair_price", {"X-API-Key": gateway.key}
    assert httpx.post(url, json={"card_id": "card_3"}, headers=headers).status_code == 200
    text = httpx.get(f"{gateway.metrics_url}/metrics").text
    for sample in (
        'pokewatch_rows_total{market="simulated-0",status="ok"} 1.0',
        'pokewatch_request_seconds_count{model="fair-price"} 1.0',
        'model_infer_request_success_total{model="decision",version="None"} 1.0',
        "pokewatch_gateway_",
    ):
        assert sample in text, sample


def test_it_stops_on_sigterm(gateway: RunningGateway) -> None:
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(30) in (0, -signal.SIGTERM)
    assert "Traceback" not in gateway.log()
