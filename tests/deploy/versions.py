"""Registered versions with small books."""

from dataclasses import replace
from pathlib import Path

from pokewatch.registry import CHAMPION, Registry
from tests.serving.books import FACTS, make_book


def champion_of(registry: Registry) -> str:
    return registry.resolve(CHAMPION).version


def register_book(
    registry: Registry, folder: Path, count: int = 40, days: int = 5, **facts: str
) -> str:
    """Register a small book with other facts; its version."""
    digest = make_book(folder, count, days, facts=replace(FACTS, **facts))  # type: ignore[arg-type]
    run = registry.log_run(folder, parameters={}, metrics={}, tags={"data_version": "dv"})
    return registry.register(run, digest).version
