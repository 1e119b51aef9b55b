"""Collecting history in parallel: each month separately, then merged in chronological order."""

import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Unpack

from pokewatch.errors import SettingsError
from pokewatch.market.collect import collect, requested_days
from pokewatch.market.completion import completed, completed_rejected, games_of_day
from pokewatch.market.lake import Lake
from pokewatch.market.latest_version import LatestVersions
from pokewatch.market.merge import merge_cards
from pokewatch.market.sources import SourceOptions, open_source
from pokewatch.market.versions import DataVersions
from pokewatch.pipeline.collect import Collected
from pokewatch.pipeline.storage import save_lake
from pokewatch.settings import Home

Month = tuple[date, date]


def months(start: date, end: date) -> list[Month]:
    """Split the days from `start` to `end` into months."""
    found: list[Month] = []
    while start <= end:
        following = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        found.append((start, min(end, following - timedelta(days=1))))
        start = following
    return found


def collect_month(source: str, month: Month, **options: Unpack[SourceOptions]) -> str | None:
    """Collect one month into a separate lake.

    Return the version of that lake, None if no day passed its checks.
    """
    opened = open_source(source, **options)
    home = Home.read().home
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".month-", dir=home) as scratch:
        lake = Lake(Path(scratch))
        collect(opened, lake, requested_days(opened, *month, None))
        return DataVersions(lake.root).save(lake.raw) if lake.days() else None


def merge_months(
    source: str, versions: Sequence[str | None], **options: Unpack[SourceOptions]
) -> Collected:
    """Merge the months into the lake of `source` and store it with `save_lake`.

    Days that are already in the lake are not changed, except for games that they lack.
    """
    opened = open_source(source, **options)
    lake = Lake(Home.read().lakes / opened.lake_name)
    LatestVersions().restore(lake)
    before = lake.days()
    store = DataVersions(Home.read().home)
    written: set[date] = set()
    for version in filter(None, versions):
        folder = store.checkout(version)
        with lake.locked():
            written |= _merge(lake, Lake(folder.parent, raw=folder))
    days = lake.days()
    if not days:
        raise SettingsError(f"{source} has no prices for any of the requested days")
    raw_version = save_lake(lake)
    report = {
        "written": [day.isoformat() for day in sorted(written)],
        "unchanged": [day.isoformat() for day in before if day not in written],
        "rows": sum(lake.day(day).num_rows for day in written),
        "quarantined": {},
        "warnings": [],
    }
    return Collected(source, opened.market, raw_version, days[0], days[-1], report, ())


def _merge(lake: Lake, month: Lake) -> set[date]:
    """Add the days and games of `month` that `lake` lacks; return the days."""
    catalog = merge_cards(lake.catalog() if lake.has_catalog() else None, month.catalog())
    if catalog is not None:
        lake.write_catalog(catalog)
    known = set(lake.days())
    written = set()
    for day in month.days():
        games = month.games(day)
        if day not in known or set(games) - games_of_day(lake, day, lake.catalog()):
            rejected = completed_rejected(lake, day, month.quarantined(day), games, refresh=False)
            lake.write_quarantined(day, rejected)
            lake.write_day(day, *completed(lake, day, month.day(day), games, refresh=False))
            written.add(day)
    return written
