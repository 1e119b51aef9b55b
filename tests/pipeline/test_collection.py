"""Collecting and validating a small simulated market."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from pokewatch.errors import SettingsError
from pokewatch.pipeline.collection import collect_prices, daily_figures, validate

pytestmark = pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy:DeprecationWarning",  # MLflow's models on SQLAlchemy 2.1
    "ignore:_NoneStep.value will soon raise:DeprecationWarning",  # DVC's use of pygtrie
    "ignore:'imghdr' is deprecated:DeprecationWarning",  # imported by Apprise
)


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
    assert "days" in [check.name for check in validate(elsewhere) if not check.passed]


def test_daily_figures_are_one_a_day(home: Path) -> None:
    collected = collect_prices("simulated", days=5, cards=120, end=date(2026, 1, 31))
    figures = daily_figures(collected)
    assert len(figures["days"]) == 5
    assert {len(values) for values in figures["series"].values()} == {5}


def test_fewer_days_than_needed_are_not_collected(home: Path) -> None:
    with pytest.raises(
        SettingsError, match="simulated has 3 days from 2024-01-01 to 2024-01-03; at least 15"
    ):
        collect_prices("simulated", days=400, cards=120, end=date(2024, 1, 3), needed=15)
    assert not (home / "lake").exists()
