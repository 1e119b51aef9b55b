"""Collecting: from a source, through the row and day checks, into the lake.

For each day the catalogue is written first, then the quarantine, then the prices: killed at any point, the lake reads
whole, no price lacks its card, and the next collection goes on where this one stopped.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from pokewatch.checks import Check, failures
from pokewatch.errors import (
    LakeError,
    MissingAtSourceError,
    QualityError,
    SettingsError,
    SourceError,
)
from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.market.lake import Lake
from pokewatch.market.merge import merged
from pokewatch.market.prices import PRICE_SCHEMA
from pokewatch.market.quality.days import QualityThresholds, comparable, judge, measure_day
from pokewatch.market.sources import PriceBatch, Source
from pokewatch.settings import QualitySettings

_ALL_DAYS = 100_000
_IMAGE = r"^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[!-~]*)?$"

Progress = Callable[[int], None]  # how many more days are done


@dataclass
class CollectReport:
    """What a collection did."""

    source: str
    asked: tuple[date, ...]
    written: list[date] = field(default_factory=list)
    unchanged: list[date] = field(default_factory=list)  # in the lake already
    missing: list[date] = field(default_factory=list)  # the source has no such day
    held: dict[date, tuple[Check, ...]] = field(
        default_factory=dict
    )  # failed their checks: not in the lake
    rows: int = 0  # of the days written
    quarantined: Counter[str] = field(default_factory=Counter)  # rows by reason
    warnings: list[str] = field(default_factory=list)

    def require_no_held(self) -> None:
        """Raise QualityError naming each day held back, its failed checks and their figures."""
        if self.held:
            told = "; ".join(
                f"{day}: {failures(checks)}" for day, checks in sorted(self.held.items())
            )
            raise QualityError(
                f"{len(self.held)} of {len(self.asked)} days held back, the lake is as it was for them. {told}"
            )

    def to_json(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return {
            "source": self.source,
            "asked": len(self.asked),
            "written": [day.isoformat() for day in self.written],
            "unchanged": [day.isoformat() for day in self.unchanged],
            "missing": [day.isoformat() for day in self.missing],
            "held": {day.isoformat(): failures(checks) for day, checks in self.held.items()},
            "rows": self.rows,
            "quarantined": dict(self.quarantined),
            "warnings": self.warnings,
        }


def collect(
    source: Source,
    lake: Lake,
    days: Sequence[date],
    *,
    refresh: bool = False,
    thresholds: QualityThresholds | None = None,
    today: date | None = None,
    progress: Progress | None = None,
) -> CollectReport:
    """Bring the `days` the lake lacks from `source`; with `refresh`, and always from a panel of one's own, compare all of them.

    A day that fails its checks is held back (`CollectReport.held`), one the source lacks is reported as missing. Raises
    SourceError where the source gives up, or has none of the days; what came before stays in the lake.
    """
    collection = _Collection(
        source,
        lake,
        thresholds or QualityThresholds.of(QualitySettings.read(), source.name),
        today or datetime.now(UTC).date(),
        progress or (lambda *_: None),
        CollectReport(source.name, tuple(sorted(set(days)))),
    )
    return collection.run(refresh or source.name == "file")


def asked_days(
    source: Source, start: date | None, end: date | None, days: int | None
) -> list[date]:
    """The days from `start` to `end`; or `days` of them, 30 unless told, up to `end` or the last on offer.

    Of a panel of one's own, all it has unless told. Raises SettingsError for a range that is empty or before all prices.
    """
    if start and end and days:
        raise SettingsError("--from, --to and --days: give two of them")
    offer = source.available()
    first, last = offer or (None, datetime.now(UTC).date() - timedelta(days=1))
    if start and days:
        end = start + timedelta(days=days - 1)
    end = end or last
    if start is None:
        count = days or (_ALL_DAYS if source.name == "file" else 30)
        start = max(end - timedelta(days=count - 1), first or date.min)
    elif first and start < first:
        raise SettingsError(f"--from {start}: {source.name} has prices from {first} on")
    if start > end:
        raise SettingsError(
            f"no days from {start} to {end}"
            + (f": {source.name} has {first} to {last}" if offer else "")
        )
    return [start + timedelta(days=offset) for offset in range((end - start).days + 1)]


def export(lake: Lake, days: Sequence[date], path: Path, file_format: str) -> int:
    """Write those of `days` that the lake has into one file, "parquet" or "csv"; the number of rows. The file appears whole or not at all.

    Raises LakeError where the lake has none of the days.
    """
    asked = set(days)
    kept = [day for day in lake.days() if day in asked]
    if not kept:
        raise LakeError(
            f"nothing to export: the lake at {lake.root} has none of the {len(asked)} days asked for"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        writer = (
            pq.ParquetWriter(part, PRICE_SCHEMA, compression="zstd")
            if file_format == "parquet"
            else csv.CSVWriter(part, PRICE_SCHEMA)
        )
        rows = 0
        with writer:
            for day in kept:
                prices = lake.day(day)
                writer.write_table(prices)
                rows += prices.num_rows
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return rows


@dataclass
class _Collection:
    source: Source
    lake: Lake
    thresholds: QualityThresholds
    today: date
    progress: Progress
    report: CollectReport
    catalog: pa.Table | None = None
    without_image: set[str] = field(default_factory=set)  # cards whose image address is refused

    def run(self, compare: bool) -> CollectReport:
        kept = set(self.lake.days())
        wanted = [day for day in self.report.asked if compare or day not in kept]
        self.report.unchanged = [day for day in self.report.asked if day not in wanted]
        self.progress(len(self.report.unchanged))
        if wanted:
            for batch in self._batches(wanted):
                self._take(batch)
        self._warn()
        return self.report

    def _batches(self, wanted: list[date]) -> Iterator[PriceBatch]:
        """The batches of `wanted`; a day the source lacks is put down as missing, and the others asked for."""
        waiting = list(wanted)
        missing: MissingAtSourceError | None = None
        while waiting:
            try:
                for batch in self.source.prices(waiting):
                    yield batch
                    waiting = [day for day in waiting if day not in batch.days]
                waiting = []
            except MissingAtSourceError as error:
                missing = missing or error
                self.report.missing.append(waiting.pop(0))
                self.progress(1)
            except SourceError as error:
                raise self._interrupted(error) from error
        if missing and len(self.report.missing) == len(self.report.asked):
            raise missing

    def _interrupted(self, error: SourceError) -> SourceError:
        if not self.report.written:
            return error
        kept = f"{len(self.report.written)} of {len(self.report.asked)} days were written before: collect again to go on"
        return type(error)(error.source, error.url, f"{error.cause}; {kept}")

    def _take(self, batch: PriceBatch) -> None:
        from pokewatch.market.quality.rows import split_rows

        good, bad = split_rows(batch.prices, self.thresholds.max_price, self.today)
        rejected = pa.concat_tables([batch.rejected, bad])
        self.report.quarantined.update(rejected["reason"].to_pylist())
        accepted = dict(self._accepted(batch.days, good, rejected))
        if accepted:
            self._keep_cards(self._cards(batch))
        for day in batch.days:
            self._keep_rejected(day, _rejected_of(rejected, day, orphans=day == batch.days[0]))
            if day in accepted:
                self._keep_day(day, accepted[day])
            self.progress(1)

    def _accepted(
        self, days: Sequence[date], good: pa.Table, rejected: pa.Table
    ) -> Iterator[tuple[date, pa.Table]]:
        """The days that pass their checks; the others are put down as held."""
        kept = set(self.lake.days())
        passed: dict[date, pa.Table] = {}
        for day in days:
            prices = _rows_of(good, day)
            bad = _rejected_of(rejected, day, orphans=False).num_rows
            earlier = comparable(day, kept | passed.keys())
            previous = (
                (passed[earlier] if earlier in passed else self.lake.day(earlier))
                if earlier
                else None
            )
            checks = judge(
                [measure_day(prices, day, previous, bad, self.today, self.thresholds)],
                self.thresholds,
            )
            if all(check.passed for check in checks):
                passed[day] = prices
                yield day, prices
            else:
                self.report.held[day] = tuple(checks)

    def _cards(self, batch: PriceBatch) -> pa.Table:
        if batch.cards is not None:
            return batch.cards
        if self.catalog is None:
            self.catalog = self.source.catalog()
        return self.catalog

    def _keep_cards(self, found: pa.Table) -> None:
        known = self.lake.catalog() if self.lake.has_catalog() else None
        refused = pc.fill_null(
            pc.invert(pc.match_substring_regex(found["image_url"], _IMAGE)), False
        )
        self.without_image.update(found["card_id"].filter(refused).to_pylist())
        column = CARD_SCHEMA.get_field_index("image_url")
        images = pc.if_else(refused, None, found["image_url"])
        catalog = merged(known, found.set_column(column, CARD_SCHEMA.field(column), images))
        if catalog is not None:
            self.lake.write_catalog(catalog)

    def _keep_rejected(self, day: date, rejected: pa.Table) -> None:
        """Quarantine rows of a day, unless the day is held and the lake's own rows of it are to stay as they are."""
        if day in self.report.held and day in self.lake.days():
            return
        if not self.lake.quarantined(day).equals(rejected):
            self.lake.write_quarantined(day, rejected)

    def _keep_day(self, day: date, prices: pa.Table) -> None:
        if self.lake.write_day(day, prices):
            self.report.written.append(day)
            self.report.rows += prices.num_rows
        else:
            self.report.unchanged.append(day)

    def _warn(self) -> None:
        warnings = self.report.warnings
        warnings.extend(getattr(self.source, "warnings", ()))
        warnings.extend(
            f"{day} was held back: {failures(checks)}"
            for day, checks in sorted(self.report.held.items())
        )
        if self.without_image:
            count = len(self.without_image)
            warnings.append(f"{count:,} cards are kept without image: its address is not https")
        if self.report.missing:
            warnings.append(f"{self.source.name} has no prices of {_listed(self.report.missing)}")
        if self.report.written:
            catalog = self.lake.catalog()
            unnamed = pc.sum(pc.equal(catalog["name"], catalog["card_id"])).as_py() or 0
            if unnamed:
                warnings.append(
                    f"{unnamed:,} of {catalog.num_rows:,} cards have no name yet and go by their ids"
                )


def _rows_of(table: pa.Table, day: date) -> pa.Table:
    return table.filter(pc.equal(table["date"], pa.scalar(day)))


def _rejected_of(rejected: pa.Table, day: date, orphans: bool) -> pa.Table:
    """The rejected rows of a day; with `orphans` also those whose date cannot be told."""
    ours = pc.fill_null(pc.equal(rejected["date"], pa.scalar(day)), orphans)
    return rejected.filter(ours).combine_chunks()


def _listed(days: Sequence[date]) -> str:
    """The first few of `days` and how many more there are."""
    told = ", ".join(map(str, sorted(days)[:5]))
    return f"{told} and {len(days) - 5} more days" if len(days) > 5 else told
