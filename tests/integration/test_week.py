"""A week of five markets with a source that is down, a bad day, a killed step and a full disk."""

import hashlib
import os
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest

from pokewatch.market.lake import Lake
from pokewatch.registry import LAST_DAY, Registry
from pokewatch.settings import RegistrySettings
from tests.integration.week import Week


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
    assert week.ended == 0
    assert "1 of 5 markets failed: file-one: " in week.run(1, down="one")
    assert "1 of 5 markets failed: file-two: " in week.run(2, bad="two")
    week.run(3, killed="features")
    assert week.ended == 0
    champions, files = _champions(week), _files(registry_home)
    assert "File too large" in week.run(4, full=True)  # Metaflow's own files among them
    assert week.ended != 0
    assert _champions(week) == champions
    _assert_whole(registry_home, files, date(2026, 1, 29))
    week.run(5, killed="register")
    assert week.ended == 0
    week.run(6)
    assert week.ended == 0

    assert week.lost == []
    assert week.valued == week.expected == 7 * 5 - 2 - 5
    assert {day for _, day in _champions(week).values()} == {"2026-01-31"}


def _champions(week: Week) -> dict[str, tuple[str, str]]:
    """Return the version and the last day of the champion of each market, whose book opens."""
    found = {}
    for market in week.markets:
        registry = Registry(RegistrySettings.read(market=market))
        champion = registry.resolve()
        assert registry.open_book(champion).facts.market == market
        found[market] = champion.version, champion.tags[LAST_DAY]
    return found


def _files(home: Path) -> dict[Path, bytes]:
    """Return the hashes of the files in a home, without the runs of Metaflow and DVC's caches."""
    return {
        path: hashlib.md5(path.read_bytes()).digest()
        for path in home.rglob("*")
        if path.is_file() and not {".metaflow", ".dvc"}.intersection(path.parts)
    }


def _assert_whole(home: Path, before: Mapping[Path, bytes], day: date) -> None:
    """Assert that nothing has changed since `before` but for a new, whole day in some lakes."""
    now = _files(home)
    assert {path: now.get(path) for path in before} == before
    for path in now.keys() - before.keys():
        lake = Lake(path.parents[3])
        assert path == lake.raw / "prices" / day.isoformat() / "part.parquet"
        assert lake.day(day).num_rows > 0.9 * lake.day(day - timedelta(days=1)).num_rows
