"""A gateway that holds the models: before a champion, with one, and with the next."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from mlserver import ModelSettings
from mlserver.registry import MultiModelRegistry
from prometheus_client import REGISTRY

from pokewatch.in_process import models as in_process
from pokewatch.registry import CHAMPION, Registry
from pokewatch.serving.loaded_books import LOADED_BOOKS
from pokewatch.serving.mlserver import market_models
from pokewatch.settings import RegistrySettings
from tests.experiments.books import register
from tests.in_process.processes import RunningGateway, gateway_process, started
from tests.polling import eventually
from tests.serving.books import FACTS, make_book
from tests.serving.server import models_folder, point_at

TAGS = {"data_version": "dv"}


@pytest.fixture
def metrics_of_a_process() -> Iterator[None]:
    """The metrics of a data plane, of which MLServer makes one in a process."""
    before = set(REGISTRY._collector_to_names)
    yield
    for collector in set(REGISTRY._collector_to_names) - before:
        REGISTRY.unregister(collector)


def served_version(gateway: RunningGateway) -> str:
    reply = gateway.get("/ready")
    return reply.json()["model_version"] if reply.status_code == 200 else reply.text


@pytest.mark.slow
def test_a_new_champion_is_served_without_a_restart(registry_home: Path, tmp_path: Path) -> None:
    registry = Registry()
    register(registry, tmp_path / "1", 40)
    with started(registry_home, "--in-process") as gateway:

        def answered() -> int:
            assert gateway.process.poll() is None, gateway.log()
            try:
                return gateway.get("/ready").status_code
            except httpx.TransportError:
                return 0

        eventually(answered, lambda status: status == 503)
        assert "has no model loaded" in served_version(gateway)
        registry.set_alias(CHAMPION, "1")
        eventually(lambda: served_version(gateway), "1".__eq__, 150)
        register(registry, tmp_path / "2", 41)
        registry.set_alias(CHAMPION, "2")
        eventually(lambda: served_version(gateway), "2".__eq__, 150)


@pytest.mark.slow
def test_a_damaged_book_leaves_the_old_one_serving(tmp_path: Path) -> None:
    """A book that cannot be loaded at all is retried, and the reason is in the log."""
    models = tmp_path / "models"
    models_folder(models)
    digest = make_book(tmp_path / "book")
    point_at(models, tmp_path / "book", "0" * 64, "7")
    home, environment = tmp_path / "home", {"POKEWATCH_MLSERVER_MODELS": str(models)}
    with started(home, "--in-process", **environment) as gateway:
        eventually(lambda: "fair-price is not loaded: " in gateway.log(), bool)
    point_at(models, tmp_path / "book", digest, "7")
    with gateway_process(tmp_path / "again", "--in-process", **environment) as gateway:
        assert served_version(gateway) == "7"


@pytest.mark.usefixtures("metrics_of_a_process")
def test_a_market_that_cannot_be_loaded_does_not_keep_the_others_at_their_champions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    healthy, damaged = "fair-price-simulated-1", "fair-price-file-trend"
    loads: Counter[str] = Counter()
    third_load = asyncio.Event()

    async def load(_: MultiModelRegistry, settings: ModelSettings) -> None:
        loads[settings.name] += 1
        if loads[healthy] == 3:
            third_load.set()
        if settings.name == damaged:
            raise OSError("the book is damaged")

    def version(name: str) -> str:
        return str(loads[healthy]) if name == healthy else ""

    monkeypatch.setenv("POKEWATCH_MARKETS", "simulated-1,file-trend")
    monkeypatch.setattr(MultiModelRegistry, "load", load)
    monkeypatch.setattr(in_process, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(in_process, "MAX_DELAY", 0.01)
    monkeypatch.setattr(in_process, "_champion", lambda *_: str(loads[healthy] + 1))
    monkeypatch.setattr(LOADED_BOOKS, "version", version)
    models_folder(tmp_path)
    models = in_process.InProcessModels(tmp_path)

    async def check() -> None:
        running = asyncio.create_task(models.run())
        async with asyncio.timeout(10):
            await third_load.wait()
        running.cancel()

    asyncio.run(check())
    assert loads[damaged] >= 2
    states = models.states()
    assert (states[healthy], states[damaged]) == ("READY", "UNAVAILABLE")


@pytest.mark.usefixtures("metrics_of_a_process")
def test_the_model_of_an_empty_registry_is_dropped_once_its_markets_have_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It would be tried for ever, and while one model fails, new champions are noticed late."""
    named = "fair-price-simulated-1"
    markets = [""]
    loads: Counter[str] = Counter()
    named_load = asyncio.Event()

    async def load(_: MultiModelRegistry, settings: ModelSettings) -> None:
        loads[settings.name] += 1
        if settings.name == "fair-price":
            markets[:] = ["simulated-1"]
            raise OSError("no model is champion yet")
        if settings.name == named:
            named_load.set()

    monkeypatch.setattr(market_models, "markets_to_serve", lambda _: list(markets))
    monkeypatch.setattr(MultiModelRegistry, "load", load)
    monkeypatch.setattr(in_process, "POLL_SECONDS", 0.01)
    models_folder(tmp_path)
    models = in_process.InProcessModels(tmp_path)

    async def check() -> None:
        running = asyncio.create_task(models.run())
        async with asyncio.timeout(10):
            await named_load.wait()
        running.cancel()

    asyncio.run(check())
    assert loads["fair-price"] == 1
    assert "fair-price" not in models.states()


@pytest.mark.slow
def test_every_market_of_the_registry_is_served(registry_home: Path, tmp_path: Path) -> None:
    cards = {"simulated-1": "USD", "file-trend": "EUR"}
    for market, currency in cards.items():
        registry = Registry(RegistrySettings.read(market=market))
        facts = replace(FACTS, market=market, currency=currency)
        digest = make_book(tmp_path / market, facts=facts)
        run = registry.log_run(tmp_path / market, parameters={}, metrics={}, tags=TAGS)
        registry.set_alias(CHAMPION, registry.register(run, digest).version)
    with gateway_process(registry_home, "--in-process") as gateway:

        def listed() -> dict[str, str]:
            found = gateway.get("/markets").json().get("markets", [])
            return {each["id"]: each["currency"] for each in found if each["ready"]}

        eventually(listed, cards.__eq__, 150)
        for market, currency in cards.items():
            page = gateway.get(f"/cards?market={market}").json()
            assert (page["market"], page["currency"]) == (market, currency)
        rows = [{"card_id": "card_4", "market": market} for market in cards]
        url, headers = f"{gateway.url}/fair_price/batch", {"X-API-Key": gateway.key}
        batch = httpx.post(url, json={"cards": rows}, headers=headers, timeout=30).json()
        assert {row["market"]: row["currency"] for row in batch["predictions"]} == cards
