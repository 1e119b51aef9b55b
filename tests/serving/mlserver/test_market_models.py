"""Three markets in one MLServer: what happens to one is not noticed in the others."""

import asyncio
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from mlserver import MLModel
from mlserver.errors import MLServerError, ModelNotFound
from mlserver.registry import MultiModelRegistry

from pokewatch.contract import fair_price_model
from pokewatch.deploy.rollout import deploy, rollback
from pokewatch.errors import DeployError
from pokewatch.registry import CHAMPION, Registry
from pokewatch.serving.mlserver import market_models
from pokewatch.serving.mlserver.market_models import MarketModelRepository
from pokewatch.serving.mlserver.queued_loads import QueuedLoads
from pokewatch.settings import RegistrySettings
from tests.gateway.conftest import Gateway, gateway_at
from tests.polling import eventually
from tests.serving.books import FACTS, make_book
from tests.serving.server import Server, columns, infer, models_folder, started, tensor, wait_until

CARDS = 40
_VOLATILE = re.compile(r'"(?:as_of|request_id)":"[^"]*"')
MARKETS = {"simulated-1": "USD", "file-trend": "EUR", "magic-tcgplayer-usd": "USD"}


def registry_of(market: str) -> Registry:
    return Registry(RegistrySettings.read(market=market))


def register(market: str, folder: Path, commit: str, cards: int = CARDS) -> str:
    """Register a book of a market, whose copy is on this machine already; its version."""
    registry = registry_of(market)
    facts = replace(FACTS, market=market, currency=MARKETS[market], git_commit=commit)
    digest = make_book(folder, cards, facts=facts)
    run = registry.log_run(folder, parameters={}, metrics={}, tags={"data_version": commit})
    model = registry.register(run, digest)
    registry.download_book(model)  # a server without the copy takes seconds to import MLflow
    return model.version


@contextmanager
def serving(folder: Path, *markets: str) -> Iterator[Server]:
    ports = models_folder(folder)
    with started(folder, ports) as server:
        wait_until(server, *(f"/v2/models/{fair_price_model(market)}/ready" for market in markets))
        yield server


@dataclass
class Load:
    """A request that is sent until the block ends. `answers` are the distinct ones."""

    url: str
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    answers: set[str] = field(default_factory=set)
    sent: int = 0

    def run(self, ended: threading.Event) -> None:
        with httpx.Client(timeout=30, headers=self.headers) as client:
            while not ended.wait(0.01):  # the servers and the deploy share the processors
                answer = client.post(self.url, json=self.body)
                text = _VOLATILE.sub("", answer.text)
                self.answers.add(f"{answer.status_code} {text}")
                self.sent += 1


def of_model(server: Server, market: str) -> Load:
    """Return requests of all cards of a market to its model."""
    cards = [f"tcgplayer-{i}-normal" for i in range(CARDS)]
    url = f"{server.url}/v2/models/{fair_price_model(market)}/infer"
    return Load(url, {"id": "1", "inputs": [tensor("card_id", cards)]})


def through_gateway(gateway: Gateway, markets: Sequence[str]) -> Load:
    """Return batches of cards of several markets."""
    cards = [{"card_id": f"card_{i}", "market": each} for i in range(9) for each in markets]
    headers = {"X-API-Key": gateway.key.key}
    return Load(f"{gateway.url}/fair_price/batch", {"cards": cards}, headers)


@contextmanager
def under_load(*loads: Load) -> Iterator[None]:
    ended = threading.Event()
    threads = [threading.Thread(target=load.run, args=(ended,)) for load in loads]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def version_served(server: Server, market: str) -> str:
    answer = infer(server, fair_price_model(market), tensor("card_id", ["card_1"]))
    return str(answer.json()["parameters"]["model_version"])


def markets_listed(server: Server) -> list[str]:
    found = httpx.get(f"{server.url}/catalog/markets").json()["markets"]
    return [each["model"] for each in found]


@pytest.mark.slow
def test_deploy_failed_deploy_and_rollback_in_one_market_leave_the_others_alone(
    registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert registry_home
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "1")
    changed, *others = MARKETS
    for market in MARKETS:
        registry_of(market).set_alias(CHAMPION, register(market, tmp_path / market, "first"))
    second = register(changed, tmp_path / "second", "second")
    third = register(changed, tmp_path / "third", "third", cards=CARDS - 20)
    registry = registry_of(changed)
    with (
        serving(tmp_path / "models", *MARKETS) as server,
        gateway_at(server.url, tmp_path, answer_cache=False) as gateway,
    ):
        address = [server.url]
        eventually(lambda: len(gateway.ask("GET", "/markets").json()["markets"]), (3).__eq__)
        loads = [of_model(server, market) for market in others]
        loads.append(through_gateway(gateway, others))
        with under_load(*loads):
            deploy(registry, second, address)
            assert version_served(server, changed) == second
            with pytest.raises(DeployError, match="lacks 20 of its 40 cards"):
                deploy(registry, third, address)
            assert version_served(server, changed) == second
            rollback(registry, address)
            assert version_served(server, changed) == "1"
        for load in loads:
            assert load.sent > 10
            (answer,) = load.answers
            assert answer.startswith("200 ")
    for market in others:
        assert registry_of(market).resolve(CHAMPION).version == "1"


@pytest.mark.slow
def test_answers_name_their_market_and_currency(registry_home: Path, tmp_path: Path) -> None:
    assert registry_home
    for market in MARKETS:
        registry_of(market).set_alias(CHAMPION, register(market, tmp_path / market, market))
    with serving(tmp_path / "models", *MARKETS) as server:
        for market, currency in MARKETS.items():
            answer = infer(server, fair_price_model(market), tensor("card_id", ["card_1"]))
            assert columns(answer)["card_id"] == ["tcgplayer-1-normal"]
            parameters = answer.json()["parameters"]
            assert (parameters["market"], parameters["currency"]) == (market, currency)
            path = f"/v2/models/{fair_price_model(market)}/catalog/status"
            assert httpx.post(f"{server.url}{path}", json={}).json()["market"] == market
        listed = httpx.get(f"{server.url}/catalog/markets").json()["markets"]
        assert {each["model"]: each["ready"] for each in listed} == {
            fair_price_model(market): True for market in MARKETS
        }
        index = httpx.post(f"{server.url}/v2/repository/index", json={}).json()
        assert {each["name"]: each["state"] for each in index} == {
            "decision": "READY",
            **{fair_price_model(market): "READY" for market in MARKETS},
        }


@pytest.mark.slow
def test_a_market_deployed_for_the_first_time_is_served_without_a_restart(
    registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert registry_home
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "0")
    registry_of("simulated-1").set_alias(CHAMPION, register("simulated-1", tmp_path / "a", "a"))
    with serving(tmp_path / "models", "simulated-1") as server:
        new = register("file-trend", tmp_path / "b", "b")
        deploy(registry_of("file-trend"), new, [server.url])
        assert version_served(server, "file-trend") == new
        assert markets_listed(server) == ["fair-price-file-trend", "fair-price-simulated-1"]


class OneMarketModel(MLModel):  # type: ignore[misc]  # MLServer ships no types
    """A model that can be loaded for `simulated-2` alone."""

    async def load(self) -> bool:
        if self.name != "fair-price-simulated-2":
            raise MLServerError(f"{self.name} cannot be loaded", 500)
        return True


def test_a_market_is_listed_once_its_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_HOME", str(tmp_path / "home"))
    models_folder(tmp_path / "models")
    models = MarketModelRepository(str(tmp_path / "models"))
    loads = QueuedLoads(models, MultiModelRegistry(model_initialiser=OneMarketModel))

    async def listed() -> list[str]:
        return sorted(each.name for each in await models.list())

    async def scenario() -> None:
        assert await listed() == ["decision", "fair-price"]
        for _ in range(2):
            with pytest.raises(MLServerError, match="simulated-9 cannot be loaded"):
                await loads.load("fair-price-simulated-9")
            with pytest.raises(ModelNotFound):
                await loads.load("fair-price-UPPER")
            assert await listed() == ["decision", "fair-price"]
        for _ in range(2):
            assert await loads.load("fair-price-simulated-2")
            assert await listed() == ["decision", "fair-price", "fair-price-simulated-2"]

    asyncio.run(scenario())


def test_without_any_champion_no_market_is_listed(tmp_path: Path) -> None:
    ports = models_folder(tmp_path / "models")
    with started(tmp_path / "models", ports) as server:
        wait_until(server, "/v2/models/decision/ready")
        answer = httpx.get(f"{server.url}/catalog/markets")
        assert (answer.status_code, answer.json()) == (
            503,
            {"markets": [{"model": "fair-price", "ready": False}]},
        )


@pytest.mark.slow
def test_markets_that_a_server_of_an_empty_registry_was_not_told_of_are_served(
    registry_home: Path, tmp_path: Path
) -> None:
    assert registry_home
    ports = models_folder(tmp_path / "models")
    with started(tmp_path / "models", ports) as server:
        wait_until(server, "/v2/models/decision/ready")
        for market in ("simulated-1", "file-trend"):
            version = register(market, tmp_path / market, market)
            registry_of(market).set_alias(CHAMPION, version)
        wait_until(server, "/v2/health/ready")
        assert markets_listed(server) == ["fair-price-file-trend", "fair-price-simulated-1"]


def test_the_unnamed_market_is_listed_until_the_registry_has_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = [""]
    monkeypatch.setattr(market_models, "markets_to_serve", lambda _: list(registry))
    models_folder(tmp_path)
    models = MarketModelRepository(str(tmp_path))

    async def listed() -> list[str]:
        return sorted(each.name for each in await models.list())

    async def scenario() -> None:
        assert await listed() == ["decision", "fair-price"]
        models.loaded("fair-price-simulated-2")
        for registry[:] in (
            [""],
            ["", "simulated-2"],
        ):  # empty or away; both
            assert await models.replace_unnamed() is None
            assert await listed() == ["decision", "fair-price", "fair-price-simulated-2"]
        registry[:] = ["simulated-2", "file-trend"]
        named = await models.replace_unnamed()
        assert [each.name for each in named or ()] == ["fair-price-file-trend"]
        assert await listed() == ["decision", "fair-price-file-trend", "fair-price-simulated-2"]

    asyncio.run(scenario())


@pytest.mark.slow
def test_only_the_markets_of_the_settings_are_served(
    registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert registry_home
    monkeypatch.setenv("POKEWATCH_MARKETS", "file-trend")
    for market in ("simulated-1", "file-trend"):
        registry_of(market).set_alias(CHAMPION, register(market, tmp_path / market, market))
    with serving(tmp_path / "models", "file-trend") as server:
        other = httpx.post(f"{server.url}/v2/repository/models/fair-price-simulated-1/load")
        assert other.status_code == 404
        second = register("simulated-1", tmp_path / "second", "second")
        outcomes = deploy(registry_of("simulated-1"), second, [server.url])
        assert [each.state for each in outcomes] == ["other markets"]
        index = httpx.post(f"{server.url}/v2/repository/index", json={}).json()
        assert sorted(each["name"] for each in index) == ["decision", "fair-price-file-trend"]
