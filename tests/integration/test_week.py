"""A week of five markets with a source that is down, a bad day, a killed step and a full disk."""

import os
from datetime import date
from pathlib import Path

import pytest

from pokewatch.registry import LAST_DAY, Registry
from pokewatch.settings import RegistrySettings
from tests.integration.week import Week

pytestmark = pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy:DeprecationWarning"
)  # MLflow's models on SQLAlchemy 2.1


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_every_market_that_could_be_valued_was(registry_home: Path, tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("METAFLOW_")},
        "POKEWATCH_MLSERVER_URLS": "http://127.0.0.1:9",
        "POKEWATCH_GATE_MAPE": "100",
        "POKEWATCH_GATE_INTERVAL_ROWS": "1000000",
    }
    week = Week(tmp_path, ("one", "two"), (1, 2, 3), date(2026, 1, 25), environment)
    week.run(0)
    assert "1 of 5 markets failed: file-one: " in week.run(1, down="one")
    assert "1 of 5 markets failed: file-two: " in week.run(2, bad="two")
    week.run(3, killed="features")
    before = _champions(week)
    assert "File too large" in week.run(4, full=True)  # Metaflow's own files among them
    assert week.ended != 0
    assert _champions(week) == before
    week.run(5, killed="register")
    week.run(6)

    assert week.lost == []
    assert week.valued == week.expected == 7 * 5 - 2 - 5
    assert {day for _, day in _champions(week).values()} == {"2026-01-31"}


def _champions(week: Week) -> dict[str, tuple[str, str]]:
    """Return the version and the last day of the champion of each market."""
    found = {name: Registry(RegistrySettings.read(market=name)).resolve() for name in week.markets}
    return {name: (each.version, each.tags[LAST_DAY]) for name, each in found.items()}
