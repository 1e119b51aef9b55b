"""Months collected apart come out as one collection would have left them."""

import json
from datetime import date
from pathlib import Path

import pytest

from pokewatch.errors import SettingsError
from pokewatch.market.lake import Lake
from pokewatch.market.latest_version import LatestVersions
from pokewatch.pipeline.backfill import collect_month, merge_months, months
from pokewatch.pipeline.collect import collect_prices
from pokewatch.pipeline.processing import process_shard
from tests.market.upstream import price, running

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-01-15", "2026-01-15", [("2026-01-15", "2026-01-15")]),
        (
            "2025-12-31",
            "2026-03-01",
            [
                ("2025-12-31", "2025-12-31"),
                ("2026-01-01", "2026-01-31"),
                ("2026-02-01", "2026-02-28"),
                ("2026-03-01",) * 2,
            ],
        ),
        ("2024-02-01", "2024-02-29", [("2024-02-01", "2024-02-29")]),
    ],
    ids=["one day", "four months", "a leap February"],
)
def test_months(start: str, end: str, expected: list[tuple[str, str]]) -> None:
    found = months(date.fromisoformat(start), date.fromisoformat(end))
    assert found == [
        (date.fromisoformat(first), date.fromisoformat(last)) for first, last in expected
    ]


@pytest.mark.slow
def test_the_months_make_the_lake_that_one_collection_makes(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    start, end = date(2025, 12, 20), date(2026, 2, 10)
    versions = [collect_month("simulated", month, cards=30) for month in months(start, end)]
    collected = merge_months("simulated", versions, cards=30)
    assert (collected.first_day, collected.last_day, len(collected.report["written"])) == (
        start,
        end,
        53,
    )
    assert LatestVersions().read("simulated-30-0") == collected.raw_version
    shard = process_shard(collected, 0, 1)

    monkeypatch.setenv("POKEWATCH_HOME", str(tmp_path / "other"))
    at_once = collect_prices("simulated", start=start, end=end, cards=30)
    assert process_shard(at_once, 0, 1) == shard
    ours, theirs = (
        Lake(folder / "lake" / "simulated-30-0") for folder in (home, tmp_path / "other")
    )
    assert ours.catalog().equals(theirs.catalog())


def test_days_the_lake_has_are_left_as_they_are(home: Path) -> None:
    before = collect_prices("simulated", start=date(2026, 1, 10), end=date(2026, 1, 20), cards=30)
    version = collect_month("simulated", (date(2026, 1, 1), date(2026, 1, 31)), cards=30)
    collected = merge_months("simulated", [None, version], cards=30)
    assert len(collected.report["written"]) == 20
    assert len(collected.report["unchanged"]) == 11
    assert collected.raw_version != before.raw_version


def test_a_branch_leaves_the_latest_version(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    production = collect_prices("simulated", days=5, cards=30, end=date(2026, 1, 31))
    month = collect_month("simulated", (date(2026, 1, 1), date(2026, 1, 31)), cards=30)
    monkeypatch.setenv("POKEWATCH_BRANCH", "test.mine")
    merged = merge_months("simulated", [month], cards=30)
    assert len(merged.report["written"]) == 26
    assert merged.raw_version != production.raw_version
    assert LatestVersions().all() == [production.raw_version]


def test_a_game_that_days_of_the_lake_lack_is_added(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = date(2025, 10, 22)
    with running() as upstream:
        monkeypatch.setenv("POKEWATCH_TCGCSV_URL", upstream.url)
        upstream.archive(day, {(3, 1): [price(1), price(0)], (1, 2): [price(2), price(-2)]})
        collect_prices("tcgcsv", start=day, end=day, categories="3")
        versions = [collect_month("tcgcsv", (day, day), categories=names) for names in ("3", "1")]
        added = merge_months("tcgcsv", versions, categories="3,1")
        again = merge_months("tcgcsv", versions, categories="3,1")

    lake = Lake(home / "lake" / "tcgcsv")
    assert lake.day(day)["card_id"].to_pylist() == ["tcgplayer-1-normal", "tcgplayer-2-normal"]
    assert lake.games(day) == ("Magic", "Pokemon")
    rejected = [json.loads(row)["productId"] for row in lake.quarantined(day)["row"].to_pylist()]
    assert sorted(rejected) == [-2, 0]
    assert (added.report["written"], added.report["rows"]) == ([day.isoformat()], 2)
    assert (again.report["written"], again.report["unchanged"]) == ([], [day.isoformat()])


def test_months_without_prices_are_an_error() -> None:
    with pytest.raises(SettingsError, match="no prices for any of the requested days"):
        merge_months("simulated", [None], cards=30)
