"""Collecting and validating a small simulated market."""

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from pokewatch.errors import SettingsError
from pokewatch.market.latest_version import LatestVersions
from pokewatch.pipeline.collect import collect_prices, daily_figures, validate
from pokewatch.pipeline.storage import open_raw_lake


def test_the_same_days_collected_twice_are_the_same_version(home: Path) -> None:
    first, second = (
        collect_prices("simulated", days=5, cards=120, end=date(2026, 1, 31)) for _ in range(2)
    )
    assert first.raw_version == second.raw_version
    assert second.report["written"] == []


def test_prices_that_fail_their_checks_are_seen(home: Path) -> None:
    collected = collect_prices("simulated", days=5, cards=120, end=date(2026, 1, 31))
    assert all(check.passed for check in validate(collected))
    elsewhere = replace(collected, first_day=date(2020, 1, 1), last_day=date(2020, 1, 5))
    assert [check.name for check in validate(elsewhere)] == ["days"]


def test_daily_figures_are_one_a_day(home: Path) -> None:
    collected = collect_prices("simulated", days=5, cards=120, end=date(2026, 1, 31))
    figures = daily_figures(collected)
    assert len(figures["days"]) == 5
    assert {len(values) for values in figures["series"].values()} == {5}


def test_the_first_day_is_the_first_with_prices(home: Path) -> None:
    collected = collect_prices("simulated", days=400, cards=120, end=date(2024, 1, 3), needed=15)
    assert (collected.first_day, collected.last_day) == (date(2024, 1, 1), date(2024, 1, 3))


def test_fewer_days_than_needed_of_a_lake_that_has_them_are_refused(home: Path) -> None:
    collect_prices("simulated", days=15, cards=120, end=date(2026, 1, 31), needed=15)
    with pytest.raises(SettingsError, match=r"--days 3: .* since 2026-01-17 .* use at least 15"):
        collect_prices("simulated", days=3, cards=120, end=date(2026, 1, 31), needed=15)
    # As of the fourteenth day the lake was young.
    young = collect_prices("simulated", days=3, cards=120, end=date(2026, 1, 30), needed=15)
    assert young.first_day == date(2026, 1, 28)


def test_a_branch_starts_from_the_latest_version_and_leaves_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    production = collect_prices("simulated", days=5, cards=120, end=date(2026, 1, 31))
    monkeypatch.setenv("POKEWATCH_BRANCH", "test.mine")
    shutil.rmtree(home / "lake")  # a pod starts without it
    branch = collect_prices("simulated", days=1, cards=120, end=date(2026, 2, 1))
    assert branch.report["written"] == ["2026-02-01"]
    assert open_raw_lake(branch.raw_version).days()[0] == date(2026, 1, 27)
    assert LatestVersions().all() == [production.raw_version]


def test_a_file_of_the_newest_day_continues_the_days_of_its_lake(
    home: Path, tmp_path: Path
) -> None:
    """As of a marketplace that publishes a file a day, each saved to the same path."""
    path = tmp_path / "guide.csv"
    days = [date(2026, 1, 1) + timedelta(days=past) for past in range(20)]
    for past, day in enumerate(days):
        rows = [f"card-{card},{day},{card + past / 100:.2f},EUR" for card in range(1, 61)]
        path.write_text("\n".join(["card_id,date,market_price,currency", *rows]) + "\n")
        collected = collect_prices("file", path=path, days=400, needed=15)
        assert (collected.first_day, collected.last_day) == (days[0], day)
        assert collected.report["written"] == [day.isoformat()]
    assert all(check.passed for check in validate(collected))
    assert len(daily_figures(collected)["days"]) == 20
    assert collect_prices("file", path=path, days=15, needed=15).first_day == days[5]
    with pytest.raises(SettingsError, match=r"--days 3: .* since 2026-01-01 .* use at least 15"):
        collect_prices("file", path=path, days=3, needed=15)
