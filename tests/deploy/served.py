"""A registry of three versions, and a server that loads its champion."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pokewatch.deploy.records import DeployRecords
from pokewatch.registry import CHAMPION, PREVIOUS, REFUSED, Registry
from tests.answering import answering
from tests.deploy.upstream import Upstream
from tests.deploy.versions import champion_of, register_book
from tests.polling import eventually


class Served(Upstream):
    """A server that records which versions it was asked to load."""

    def __init__(self, registry: Registry) -> None:
        self.requested: list[str] = []
        self.awaits = 0  # deploys that there must be before a load is answered
        super().__init__(lambda: self._champion(registry))

    def _champion(self, registry: Registry) -> str:
        eventually(
            lambda: len(DeployRecords(registry).newest()), lambda count: count >= self.awaits
        )
        self.requested.append(champion_of(registry))
        return self.requested[-1]

    def answers(self) -> str:
        """The version that a caller gets."""
        answer = httpx.post(f"{self.address}/v2/models/fair-price/infer", json={"inputs": []})
        return str(answer.json()["parameters"]["model_version"])


@pytest.fixture
def registry(registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Versions 1 to 3; 3 was champion before 1, which is."""
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "0")
    registry = Registry()
    for number in (1, 2, 3):
        register_book(registry, tmp_path / str(number), git_commit=str(number))
    reset(registry)
    return registry


@pytest.fixture
def server(registry: Registry) -> Iterator[Served]:
    with answering(Served(registry)) as server:
        yield server


def reset(registry: Registry) -> None:
    registry.set_alias(CHAMPION, "1")
    registry.set_alias(PREVIOUS, "3")
    with registry.client("cannot reset") as client:
        if REFUSED in registry.version("2").tags:
            client.delete_model_version_tag(registry.name, "2", REFUSED)


def state(registry: Registry, server: Served) -> tuple[str, str, str]:
    """The champion, the one before, and what a caller is answered by."""
    return champion_of(registry), registry.resolve(PREVIOUS).version, server.answers()
