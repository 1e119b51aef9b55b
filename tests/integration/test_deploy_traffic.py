"""A deploy to two real MLServers in steps, seen by the callers of a gateway."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from pokewatch.deploy.rollout import deploy
from pokewatch.registry import CANARY, CHAMPION, Registry
from tests.gateway.conftest import Gateway, gateway_at
from tests.serving.books import FACTS, make_book
from tests.serving.server import Server, models_folder, running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore:The ``noload`` loader strategy:DeprecationWarning"
    ),  # MLflow's models on SQLAlchemy 2.1
]
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


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two MLServers that serve version 1 of two."""
    folder = tmp_path_factory.mktemp("traffic")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a module's fixture does not see the filters of the tests
        patch.setenv("POKEWATCH_HOME", str(folder))
        registry = Registry()
        for number in (1, 2):
            book = folder / f"book-{number}"
            digest = make_book(book, facts=replace(FACTS, git_commit=str(number)))
            run = registry.log_run(book, parameters={}, metrics={}, tags={"data_version": "dv"})
            registry.register(run, digest)
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
