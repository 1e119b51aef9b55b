"""A deploy to two real MLServers in steps, seen by the callers of a gateway."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from pokewatch.deploy.rollout import deploy
from pokewatch.experiments.records import ExperimentRecords
from pokewatch.experiments.sequential import Rule
from pokewatch.experiments.update import COMPARED_WITH
from pokewatch.pipeline.experiments import serve_challenger, stop_experiment
from pokewatch.registry import CANARY, CHAMPION, Registry
from pokewatch.registry_records import EXPERIMENT
from tests.gateway.conftest import Gateway, gateway_at
from tests.serving.books import FACTS, make_book
from tests.serving.server import Server, models_folder, running

pytestmark = pytest.mark.slow
CALLERS = 24
PATIENT: dict[str, Any] = {"canary_seconds": 20, "upstream_seconds": 20, "deadline_seconds": 30}


@dataclass
class Callers:
    """Callers that send requests until the block ends: the versions each got, in order."""

    gateway: Gateway
    versions: list[list[str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def run(self, number: int, ended: threading.Event) -> None:
        key = self.gateway.store.create(f"caller {number}", rate="none").key
        seen: list[str] = []
        self.versions.append(seen)
        with httpx.Client(headers={"X-API-Key": key}, timeout=30) as client:
            while not ended.wait(0.05):
                body = {"card_id": f"card_{2 + len(seen) % 30}"}
                answer = client.post(f"{self.gateway.url}/fair_price", json=body)
                if answer.status_code != 200:
                    self.failed.append(answer.text)
                    continue
                version = answer.json()["model_version"]
                seen += [version] if seen[-1:] != [version] else []


@contextmanager
def calling(gateway: Gateway) -> Iterator[Callers]:
    callers, ended = Callers(gateway), threading.Event()
    threads = [threading.Thread(target=callers.run, args=(i, ended)) for i in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield callers
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def register(registry: Registry, folder: Path, **tags: str) -> str:
    """Register a book unlike all others, and return its version."""
    digest = make_book(folder, facts=replace(FACTS, git_commit=folder.name))
    given = {"data_version": "dv", "source": "simulated", "model": "local_level"} | tags
    run = registry.log_run(folder, parameters={}, metrics={}, tags=given)
    return registry.register(run, digest).version


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two MLServers that serve version 1 of two."""
    folder = tmp_path_factory.mktemp("traffic")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POKEWATCH_HOME", str(folder))
        registry = Registry()
        for number in (1, 2):
            register(registry, folder / f"book-{number}")
        registry.set_alias(CHAMPION, "1")
    home = {"POKEWATCH_HOME": str(folder)}
    with ExitStack() as stack:
        found = []
        for name in ("first", "second"):
            ports = models_folder(folder / name)
            found.append(stack.enter_context(running(folder / name, ports, home)))
        yield found


def test_callers_change_once_and_no_request_fails(
    home: Path, servers: list[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_HOME", str(servers[0].folder.parent))
    monkeypatch.setenv("POKEWATCH_CANARY_STEPS", "0.3,1")
    monkeypatch.setenv("POKEWATCH_CANARY_STEP_SECONDS", "4")
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "1")
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_P95_SECONDS", "10")
    with (
        gateway_at(servers[0].url, tmp_path, **PATIENT) as gateway,
        calling(gateway) as callers,
    ):
        deploy(Registry(), "2", [server.url for server in servers])
        threading.Event().wait(1)  # the callers go on after the deploy
        counted = gateway.app.assembly.metrics.canary.requests.of("")
    assert callers.failed == []
    assert callers.versions == [["1", "2"]] * CALLERS
    assert counted["champion"] > 0, "the first step had callers of both"
    assert counted["challenger"] > 0
    assert Registry().resolve().version == "2"
    assert Registry().find(CANARY) is None
    for server in servers:
        status = httpx.post(f"{server.url}/catalog/status", json={}).json()
        assert status["model_version"] == "2"
        assert status["canary"]["ended"] == "version 2 is champion"


def test_an_experiments_callers_come_back_after_a_deploy(
    home: Path, servers: list[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_HOME", str(servers[0].folder.parent))
    monkeypatch.setenv("POKEWATCH_MLSERVER_URLS", ",".join(server.url for server in servers))
    monkeypatch.setenv("POKEWATCH_CANARY_STEPS", "0.3")
    monkeypatch.setenv("POKEWATCH_CANARY_STEP_SECONDS", "2")
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "1")
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_P95_SECONDS", "10")
    registry = Registry()
    champion = registry.resolve().version
    ExperimentRecords(registry).start("boosted", Rule(horizon=7))
    following = register(registry, tmp_path / "next")
    first, second = (
        register(
            registry,
            tmp_path / f"beside-{version}",
            **{"model": "boosted", EXPERIMENT: "1", COMPARED_WITH: version},
        )
        for version in (champion, following)
    )
    with gateway_at(servers[0].url, tmp_path, **PATIENT) as gateway, calling(gateway) as callers:
        serve_challenger(registry, 0.5, 1)
        threading.Event().wait(2)  # the callers go on
        arms = [seen[-1] for seen in callers.versions]
        deploy(registry, following)
        threading.Event().wait(2)
        (market,) = httpx.get(f"{gateway.url}/ready").json()["markets"]
    assert callers.failed == []
    assert set(arms) == {champion, first}
    becomes = {champion: following, first: second}
    assert [seen[-1] for seen in callers.versions] == [becomes[arm] for arm in arms]
    shown = market["canary"]
    assert (shown["experiment"], shown["share"]) == ("experiment-1-1", 0.5)
    assert (shown["champion"], shown["challenger"]) == (following, second)
    stop_experiment(registry, "enough")
    assert registry.find(CANARY) is None
