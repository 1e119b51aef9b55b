"""Many concurrent loads from an unresponsive registry."""

import re
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import httpx
import pytest

from tests.serving.books import make_book
from tests.serving.server import MODELS, Server, infer, models_folder, point_at, running, tensor

LOADS = 10


@pytest.fixture
def hung_registry() -> Iterator[str]:
    """The address of a registry that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def server(tmp_path: Path, hung_registry: str) -> Iterator[Server]:
    """A server with a book given by path, whose further loads use the registry."""
    digest = make_book(tmp_path / "book")
    ports = models_folder(tmp_path / "models")
    point_at(tmp_path / "models", tmp_path / "book", digest, "7")
    environment = {
        "POKEWATCH_HOME": str(tmp_path / "home"),
        "POKEWATCH_MLFLOW_TRACKING_URI": hung_registry,
        "POKEWATCH_LOAD_TIMEOUT": "6",
    }
    with running(tmp_path / "models", ports, environment) as found:
        shutil.copy(
            MODELS / "fair-price" / "model-settings.json", tmp_path / "models" / "fair-price"
        )
        yield found


def load(server: Server) -> httpx.Response:
    return httpx.post(f"{server.url}/v2/repository/models/fair-price/load", timeout=120)


@pytest.mark.slow
def test_other_requests_are_served_during_many_loads(server: Server) -> None:
    with ThreadPoolExecutor(LOADS) as pool:
        loads = [pool.submit(load, server) for _ in range(LOADS)]
        wait(loads, timeout=1)  # all have arrived by then, and none has finished
        answers = [
            httpx.get(f"{server.url}/v2/models/fair-price/ready", timeout=60),
            httpx.post(f"{server.url}/catalog/status", json={}, timeout=60),
            httpx.post(f"{server.url}/catalog/search", json={"q": "card"}, timeout=60),
            infer(server, "fair-price", tensor("card_id", ["card_4"])),
        ]
        assert [answer.status_code for answer in answers] == [200] * 4
        assert not any(each.done() for each in loads), (
            "the loads finished first, so the other requests waited for them"
        )
        refused = [each.result() for each in loads]
    assert {(each.status_code, "within 6 s" in each.text) for each in refused} == {(503, True)}
    [runs] = re.findall(r'pokewatch_book_loads_total{outcome="refused"} (\S+)', server.metrics())
    assert float(runs) == 2, "the first load, and one for all that arrived while it ran"
    assert answers[1].json()["model_version"] == "7"
