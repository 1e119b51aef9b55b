"""MLServer serving the registry's champion: start, reload, refuse."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from pokewatch.registry import CHAMPION, RegisteredModel, Registry
from pokewatch.settings import Home
from tests.serving.books import FACTS, make_book
from tests.serving.server import Server, columns, infer, models_folder, running, tensor

pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),  # MLflow's models on SQLAlchemy 2.1
]

CARD = tensor("card_id", ["card_4"])


def register(folder: Path, scale: float, data_version: str) -> RegisteredModel:
    """A registered version whose fair prices are `scale` times the market's."""
    digest = make_book(folder, scale=scale, facts=replace(FACTS, data_version=data_version))
    registry = Registry()
    run_id = registry.log_run(folder, parameters={}, metrics={}, tags={"data_version": data_version})
    return registry.register(run_id, digest)


def reload(server: Server) -> httpx.Response:
    return httpx.post(f"{server.url}/v2/repository/models/fair-price/load", timeout=60)


def served(server: Server) -> tuple[str, float]:
    response = infer(server, "fair-price", CARD)
    return response.json()["parameters"]["model_version"], columns(response)["fair_price"][0]


@pytest.fixture
def champion(registry_home: Path, tmp_path: Path) -> RegisteredModel:
    first = register(tmp_path / "first", 1.0, "dv-1")
    Registry().point(CHAMPION, first.version)
    return first


@pytest.fixture(params=[0, pytest.param(2, marks=pytest.mark.slow)], ids=["no workers", "2 workers"])
def server(request: pytest.FixtureRequest, tmp_path: Path, champion: RegisteredModel) -> Iterator[Server]:
    ports = models_folder(tmp_path / "models", workers=request.param)
    with running(tmp_path / "models", ports) as found:
        yield found


def test_reloads(server: Server, champion: RegisteredModel, tmp_path: Path) -> None:
    """The champion is served; a new one after a load; a damaged copy never, with the reason; the next load fetches a good one."""
    assert served(server) == (champion.version, 5.04)
    assert (Home.read().books / champion.digest / "manifest.json").exists()
    parameters = infer(server, "fair-price", CARD).json()["parameters"]
    assert (parameters["data_version"], parameters["run_id"]) == ("dv-1", champion.run_id)

    second = register(tmp_path / "second", 2.0, "dv-2")
    assert served(server) == (champion.version, 5.04)
    Registry().point(CHAMPION, second.version)
    assert reload(server).status_code == 200
    assert served(server) == (second.version, 10.08)

    third = register(tmp_path / "third", 3.0, "dv-3")
    Registry().point(CHAMPION, third.version)
    damaged = Registry().fetch_book(third) / "fair.arrow"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    refused = reload(server)
    assert refused.status_code == 500
    assert "fair.arrow is damaged" in refused.json()["error"]
    if not server.workers():
        # Each worker fetches for itself: here the first drops the damaged copy, so the second may find a good one.
        assert served(server) == (second.version, 10.08)
        assert httpx.post(f"{server.url}/catalog/status", json={}).json()["model_version"] == second.version
    assert reload(server).status_code == 200
    assert served(server) == (third.version, 15.12)
    assert httpx.post(f"{server.url}/catalog/status", json={}).json()["model_version"] == third.version


def test_without_a_champion_it_says_what_to_run(tmp_path: Path) -> None:
    ports = models_folder(tmp_path / "models")
    with pytest.raises(RuntimeError, match="no model is champion yet: run the pipeline first"), running(tmp_path / "models", ports):
        pass
