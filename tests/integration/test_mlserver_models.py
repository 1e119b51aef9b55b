"""Two fair-price models in one MLServer, each with its own book."""

import json
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from tests.serving.books import make_book
from tests.serving.server import (
    Server,
    columns,
    infer,
    models_folder,
    point_at,
    running,
    tensor,
    wait_until,
)

pytestmark = pytest.mark.integration

CARD = tensor("card_id", ["card_4"])
PRICES = (tensor("market_price", [1.0]), tensor("fair_price", [1.0]))


def served(server: Server, model: str) -> tuple[str, float]:
    answer = infer(server, model, CARD)
    return answer.json()["parameters"]["model_version"], columns(answer)["fair_price"][0]


def add(models: Path, name: str, implementation: str, parameters: Mapping[str, object]) -> None:
    (models / name).mkdir()
    settings = {"name": name, "implementation": implementation, "parameters": parameters}
    (models / name / "model-settings.json").write_text(json.dumps(settings))


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_each_model_uses_its_own_book(tmp_path: Path, workers: int) -> None:
    models = tmp_path / "models"
    ports = models_folder(models, workers=workers)
    digests = {scale: make_book(tmp_path / f"{scale}", scale=scale) for scale in (1.0, 2.0, 3.0)}
    point_at(models, tmp_path / "1.0", digests[1.0], "1")
    other = {
        "uri": str(tmp_path / "2.0"),
        "extra": {"digest": digests[2.0], "model_version": "other-2"},
    }
    add(models, "other", "pokewatch.serving.fair_price.FairPriceRuntime", other)
    add(
        models,
        "judge",
        "pokewatch.serving.decision.DecisionRuntime",
        {"extra": {"prices": "other"}},
    )
    with running(models, ports, {"POKEWATCH_HOME": str(tmp_path / "home")}) as server:
        wait_until(server, "/v2/models/other/ready", "/v2/models/judge/ready")
        for _ in range(4):  # with workers, each of them
            assert served(server, "fair-price") == ("1", 5.04)
            assert served(server, "other") == ("other-2", 10.08)
            assert infer(server, "decision", *PRICES).json()["parameters"]["model_version"] == "1"
            assert (
                infer(server, "judge", *PRICES).json()["parameters"]["model_version"] == "other-2"
            )

        point_at(models, tmp_path / "3.0", digests[3.0], "3")
        assert (
            httpx.post(f"{server.url}/v2/repository/models/fair-price/load", timeout=60).status_code
            == 200
        )
        for _ in range(4):
            assert served(server, "fair-price") == ("3", 15.12)
            assert served(server, "other") == ("other-2", 10.08)
        paths = {"/catalog/status": "3", "/v2/models/other/catalog/status": "other-2"}
        found = {
            path: httpx.post(f"{server.url}{path}", json={}).json()["model_version"]
            for path in paths
        }
        assert found == paths
        if workers == 0:  # with workers there are no gauges of the book
            assert 'model_version="3"' in server.metrics()
        assert 'model_version="other-2"' not in server.metrics()
