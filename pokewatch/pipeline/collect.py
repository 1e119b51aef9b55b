"""Collecting prices into the lake of a source, and validating them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Unpack

import pyarrow.compute as pc

from pokewatch.checks import Check
from pokewatch.errors import SettingsError
from pokewatch.market.collect import collect, requested_days
from pokewatch.market.lake import Lake
from pokewatch.market.latest_version import LatestVersions
from pokewatch.market.quality.days import QualityThresholds, check_days
from pokewatch.market.sources import SourceOptions, open_source
from pokewatch.pipeline.storage import open_raw_lake, save_lake
from pokewatch.registry import Registry, change_key
from pokewatch.settings import Home, QualitySettings


@dataclass(frozen=True, slots=True)
class Collected:
    """The result of a collection: the version of the raw lake, and the days of this run.

    `market` is the id of the market. `first_day` is the first day of the run that has prices, if
    any has: one that the lake has, even if the source no longer does.
    """

    source: str
    market: str
    raw_version: str
    first_day: date
    last_day: date
    report: Mapping[str, Any]
    held: tuple[Check, ...]  # failed checks of the days that were not written to the lake


def collect_prices(
    source: str,
    *,
    start: date | None = None,
    end: date | None = None,
    days: int | None = None,
    needed: int = 1,
    **options: Unpack[SourceOptions],
) -> Collected:
    """Collect the requested days into the lake of `source` and store it with `save_lake`.

    Days of its latest version that the lake lacks, as on another machine, come back first. The run
    has the last `days` days of the lake, where the source begins later: a file may have the newest
    prices alone. Raise SettingsError, with nothing collected, if fewer days than `needed` are
    requested of a lake that has more.
    """
    opened = open_source(source, **options)
    lake = Lake(Home.read().lakes / opened.lake_name)
    LatestVersions().restore(lake)
    wanted = requested_days(opened, start, end, days)
    last = wanted[-1]
    earliest = wanted[0] if start or not days else last - timedelta(days=days - 1)
    _require_enough(lake, earliest, last, needed)
    report = collect(opened, lake, wanted)
    version = save_lake(lake)
    held = tuple(report.held_checks())
    first = next((day for day in lake.days() if earliest <= day <= last), wanted[0])
    return Collected(source, opened.market, version, first, last, report.to_json(), held)


def _require_enough(lake: Lake, first: date, last: date, needed: int) -> None:
    """Raise SettingsError if fewer days are requested than `needed` and than the lake has."""
    known = [day for day in lake.days() if day <= last]
    requested = (last - first).days + 1
    if known and requested < needed <= (last - known[0]).days + 1:
        raise SettingsError(
            f"--days {requested}: the prices collected since {known[0]} are enough to evaluate "
            f"models; use at least {needed}"
        )


def validate(collected: Collected) -> list[Check]:
    """Return the quality checks of the run's days, and the failed ones of days not written."""
    lake = open_raw_lake(collected.raw_version)
    days = [day for day in lake.days() if collected.first_day <= day <= collected.last_day]
    found = Check(
        "days", "at least 1", str(len(days)), bool(days), "days of the range that have prices"
    )
    if not days:  # that alone is the reason: checks of no day would all fail, too
        return [found, *collected.held]
    thresholds = QualityThresholds.of(QualitySettings.read(), collected.source)
    return [found, *collected.held, *check_days(lake, days, thresholds, datetime.now(UTC).date())]


def daily_figures(collected: Collected) -> dict[str, Any]:
    """Return the `days` of the run, daily `series` to plot, and the `currency` of the prices."""
    lake = open_raw_lake(collected.raw_version)
    days = [day for day in lake.days() if collected.first_day <= day <= collected.last_day]
    priced, medians, quarantined = [], [], []
    for day in days:
        table = lake.day(day, ["market_price"])
        priced.append(table.num_rows - table["market_price"].null_count)
        medians.append(pc.approximate_median(table["market_price"]).as_py())
        quarantined.append(lake.quarantined(day).num_rows)
    currency = lake.day(days[-1], ["currency"])["currency"][0].as_py() if days else ""
    series = {
        "cards with a price": priced,
        f"median price, {currency}": medians,
        "rows quarantined": quarantined,
    }
    return {"days": days, "series": series, "currency": currency}


def market_change(collected: Collected) -> date | None:
    """Return the day of the last change of the market that monitoring detected, if any."""
    changed = Registry().get_state(change_key(collected.market))
    found = date.fromisoformat(changed) if changed else None
    return found if found and found <= collected.last_day else None
