"""Deploys reach real MLServers, those of the serving tests, or HTTP servers in their place."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pokewatch.registry import CHAMPION, Registry
from tests.deploy.versions import register_book
from tests.monitoring.listener import Listener, listening
from tests.serving.conftest import book, server

__all__ = ["book", "server"]


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """What people are notified of."""
    with listening() as server:
        monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", server.address)
        yield server


@pytest.fixture
def registry(registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Versions 1 and 2, the first of them champion; no canary."""
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "0")
    registry = Registry()
    for number in (1, 2):
        register_book(registry, tmp_path / f"book-{number}", git_commit=str(number))
    registry.set_alias(CHAMPION, "1")
    return registry
