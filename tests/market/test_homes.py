"""Homes whose paths mean something to the libraries below: everything stays inside."""

import os
from datetime import date
from pathlib import Path

import pytest

from pokewatch.errors import SettingsError
from pokewatch.market.lake import Lake
from pokewatch.market.latest_version import LatestVersions
from pokewatch.market.versions import DataVersions
from pokewatch.pipeline.collect import collect_prices
from pokewatch.registry import Registry
from pokewatch.settings import Home
from pokewatch.valuation.book import PriceBook
from tests.champion import make_champion

WORST = "a#b?c$HOME %20 k\u00e4se 'q'"
NAMES = [
    WORST,
    pytest.param("a#b", marks=pytest.mark.slow),
    pytest.param('say "x" \u65e5\u672c', marks=pytest.mark.slow),
]


@pytest.fixture
def odd_home(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    home = tmp_path / request.param
    monkeypatch.setenv("POKEWATCH_HOME", str(home))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return Home.read().make()


def outside(home: Path) -> list[str]:
    return sorted(path.name for path in home.parent.rglob("*") if home not in (path, *path.parents))


@pytest.mark.parametrize("odd_home", NAMES, indirect=True)
def test_prices_are_kept_and_restored_inside(odd_home: Path) -> None:
    collected = collect_prices("simulated", days=3, cards=100, end=date(2026, 1, 31))
    lake = Lake(next((odd_home / "lake").iterdir()))
    assert LatestVersions().read(lake.root.name) == collected.raw_version
    assert len(Lake(odd_home / "other" / lake.root.name).days()) == 0
    other = Lake(odd_home / "other" / lake.root.name)
    assert LatestVersions().restore(other) == collected.raw_version
    assert other.days() == lake.days()
    assert DataVersions(odd_home).checkout(collected.raw_version).is_dir()
    assert outside(odd_home) == ["work"]


@pytest.mark.slow
@pytest.mark.parametrize("odd_home", NAMES, indirect=True)
def test_a_champion_is_registered_and_fetched_inside(odd_home: Path) -> None:
    make_champion()
    champion = Registry().resolve()
    for book in (odd_home / "books").iterdir():
        for path in book.iterdir():
            path.unlink()
        book.rmdir()
    PriceBook.open(Registry().download_book(champion), champion.digest)
    assert outside(odd_home) == ["work"]


@pytest.mark.parametrize("name", ["a\\b", "a,b", "a[b]", "a::b", "%(x)s", "a\nb"])
def test_a_home_that_cannot_be_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_HOME", str(tmp_path / name))
    with pytest.raises(SettingsError, match="POKEWATCH_HOME"):
        Home.read().make()
    assert not any(tmp_path.iterdir())


def test_a_home_is_closed_to_other_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKEWATCH_HOME", str(tmp_path / "new" / "home"))
    before = os.umask(0)
    try:
        home = Home.read().make()
        collect_prices("simulated", days=1, cards=100, end=date(2026, 1, 31))
    finally:
        os.umask(before)
    assert home.stat().st_mode & 0o777 == 0o700
    parts = list((home / "lake").rglob("part.parquet"))
    assert {path.stat().st_mode & 0o777 for path in parts if "raw" in path.parts} <= {0o600, 0o444}
    home.chmod(0o755)
    Home.read().make()
    assert home.stat().st_mode & 0o777 == 0o700, "one from before is mended"
