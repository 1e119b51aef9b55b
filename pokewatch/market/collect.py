"""Collecting prices: from a source, through the checks of rows and days, into the lake.

For each day the catalogue is written first, then the quarantine, then the prices. If the process
is killed, the lake stays readable, every price has its card, and the next collection continues.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from pokewatch.errors import (
    DamagedDayError,
    MissingAtSourceError,
    SettingsError,
    SourceError,
)
from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.market.collect_report import CollectReport
from pokewatch.market.completion import (
    absent_parts,
    completed,
    completed_rejected,
    incomplete_days,
)
from pokewatch.market.day_checks import DayChecks
from pokewatch.market.known_cards import other_lakes, with_known_cards
from pokewatch.market.lake import Lake
from pokewatch.market.merge import merge_cards
from pokewatch.market.quality.cleaning import clean_rows
from pokewatch.market.quality.days import QualityThresholds
from pokewatch.market.quality.measures import unusable
from pokewatch.market.sources import PriceBatch, Source
from pokewatch.market.sources.games import unknown_printings
from pokewatch.settings import QualitySettings
from pokewatch.wording import counted, listed

_ALL_DAYS = 100_000
_IMAGE = r"^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[!-~]*)?$"

Progress = Callable[[int], None]  # called with the number of days just finished


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
    """Collect those of `days` that the lake does not have; with `refresh`, all of them.

    A user-supplied file is always read again. A day that fails its checks is held back, a day that
    the source does not have is reported as missing. Raise SourceError if the source fails or has
    none of the days, or if one of them is damaged; days written before stay in the lake.
    """
    thresholds = thresholds or QualityThresholds.of(QualitySettings.read(), source.name)
    today = today or datetime.now(UTC).date()
    report = CollectReport(source.name, tuple(sorted(set(days))))
    progress = progress or (lambda *_: None)
    collection = _Collection(source, lake, thresholds, today, progress, report)
    return collection.run(refresh or source.name == "file")


def requested_days(
    source: Source, start: date | None, end: date | None, days: int | None
) -> list[date]:
    """Return the days from `start` to `end`, or `days` days up to `end` or the last one available.

    The default is 30 days, and every day of a user-supplied file. Raise SettingsError for a range
    that is empty or starts before the first price.
    """
    if start and end and days:
        raise SettingsError("--from, --to and --days cannot all be used together; use two of them")
    available = source.available()
    first, last = available or (None, datetime.now(UTC).date() - timedelta(days=1))
    if start and days:
        end = start + timedelta(days=days - 1)
    end = end or last
    if start is None:
        count = days or (_ALL_DAYS if source.name == "file" else 30)
        start = max(end - timedelta(days=count - 1), first or date.min)
    elif first and start < first:
        raise SettingsError(
            f"--from {start}: {source.name} has no prices before {first}; use {first} or later"
        )
    if start > end:
        raise SettingsError(
            f"there are no days from {start} to {end}"
            + (f": {source.name} has {first} to {last}" if available else "")
        )
    return [start + timedelta(days=offset) for offset in range((end - start).days + 1)]


@dataclass
class _Collection:
    source: Source
    lake: Lake
    thresholds: QualityThresholds
    today: date
    progress: Progress
    report: CollectReport
    checks: DayChecks = field(init=False)
    catalog: pa.Table | None = None
    incomplete: dict[date, list[str]] = field(default_factory=dict)  # in the lake: absent games
    games: dict[date, tuple[str, ...]] = field(default_factory=dict)  # that a day has then
    without_image: set[str] = field(default_factory=set)  # cards whose image address is refused

    def run(self, compare: bool) -> CollectReport:
        present = set(self.lake.days())
        requested = self.report.requested
        self.incomplete = incomplete_days(self.source, self.lake, present & set(requested))
        wanted = [day for day in requested if compare or self._is_due(day, present)]
        self.report.unchanged = [day for day in self.report.requested if day not in wanted]
        self.progress(len(self.report.unchanged))
        gaps = self.source.name == "file"
        self.checks = DayChecks(self.lake, self.thresholds, self.today, wanted, gaps=gaps)
        if wanted:
            self.source.check_scale(other_lakes(self.lake))
            self.source.keep_ids(self.lake)
            for batch in self._batches(wanted):
                with self.lake.locked():
                    self._store(batch)
            self.report.usage = self.source.usage()
        if present and not self.lake.has_catalog():
            with self.lake.locked():
                self._write_cards(self._source_cards())
        self._warn()
        return self.report

    def _is_due(self, day: date, present: set[date]) -> bool:
        return day not in present or day in self.incomplete

    def _batches(self, wanted: list[date]) -> Iterator[PriceBatch]:
        """Yield the batches of `wanted`, leaving out the days that the source does not have.

        A damaged day is an error once the others are in the lake.
        """
        waiting = list(wanted)
        missing: MissingAtSourceError | None = None
        damaged: DamagedDayError | None = None
        while waiting:
            try:
                for batch in self.source.prices(waiting):
                    yield batch
                    waiting = [day for day in waiting if day not in batch.days]
                waiting = []
            except MissingAtSourceError as error:
                missing = missing or error
                day = waiting.pop(0)
                (self.report.unchanged if day in self.incomplete else self.report.missing).append(
                    day
                )
                self.progress(1)
            except DamagedDayError as error:
                damaged = damaged or error
                waiting.pop(0)
                self.progress(1)
            except SourceError as error:
                raise self._interrupted(error) from error
        if damaged:
            raise self._interrupted(damaged)
        if missing and len(self.report.missing) == len(self.report.requested):
            raise missing

    def _interrupted(self, error: SourceError) -> SourceError:
        if not self.report.written:
            return error
        written = (
            f"{len(self.report.written)} of {len(self.report.requested)} days are in the lake; "
            "run the command again to continue"
        )
        return type(error)(error.source, error.url, f"{error.cause}; {written}")

    def _store(self, batch: PriceBatch) -> None:
        from pokewatch.market.quality.rows import split_rows

        cleaned, changes = clean_rows(batch.prices, self.thresholds.max_price)
        self.report.cleaned.update(changes)
        good, bad = split_rows(cleaned, self.thresholds.max_price, self.today)
        rejected = pa.concat_tables([batch.rejected, bad])
        self.report.count_quarantined(rejected)
        accepted = dict(self._accepted(batch, good, rejected))
        if accepted:
            self._write_cards(self._cards(batch))
        for day in batch.days:
            ours = _rejected_of(rejected, day, orphans=day == batch.days[0])
            self._write_rejected(day, ours, batch.games)
            if day in accepted:
                self._write_day(day, accepted[day])
            self.progress(1)

    def _accepted(
        self, batch: PriceBatch, good: pa.Table, rejected: pa.Table
    ) -> Iterator[tuple[date, pa.Table]]:
        """Yield the days that pass their checks; report the others as held."""
        cards: pa.Table | None = None  # read once for all days, where one of them needs it
        for day in batch.days:
            found = _rows_of(good, day)
            prices, self.games[day] = completed(
                self.lake, day, found, batch.games, refresh=day not in self.incomplete
            )
            bad = unusable(_rejected_of(rejected, day, orphans=False))
            checks = self.checks.check(day, prices, bad, batch.cards, self.games[day])
            if all(check.passed for check in checks):
                if self.checks.has_history(day):
                    cards = self._listed(batch) if cards is None else cards
                    doubts = self.checks.doubts(day, prices, cards)
                    self.report.doubts.extend((day, doubt) for doubt in doubts)
                yield day, prices
            else:
                self.report.held[day] = tuple(checks)

    def _listed(self, batch: PriceBatch) -> pa.Table:
        """Return the cards that tell which set, printing and game the prices are of."""
        own = self.source.name == "file" or not self.lake.has_catalog()
        return self._cards(batch) if own else self.lake.catalog()

    def _cards(self, batch: PriceBatch) -> pa.Table:
        return self._source_cards() if batch.cards is None else batch.cards

    def _source_cards(self) -> pa.Table:
        if self.catalog is None:
            self.catalog = self.source.catalog()
            if self.source.name == "file":
                self.catalog = with_known_cards(self.catalog, other_lakes(self.lake))
        return self.catalog

    def _write_cards(self, found: pa.Table) -> None:
        known = self.lake.catalog() if self.lake.has_catalog() else None
        refused = pc.fill_null(
            pc.invert(pc.match_substring_regex(found["image_url"], _IMAGE)), False
        )
        self.without_image.update(found["card_id"].filter(refused).to_pylist())
        column = CARD_SCHEMA.get_field_index("image_url")
        images = pc.if_else(refused, None, found["image_url"])
        catalog = merge_cards(known, found.set_column(column, CARD_SCHEMA.field(column), images))
        if catalog is not None:
            self.lake.write_catalog(catalog)

    def _write_rejected(self, day: date, rejected: pa.Table, games: Sequence[str]) -> None:
        """Write the quarantine of a day, unless it is held and the lake has an earlier copy."""
        if day in self.report.held and day in self.lake.days():
            return
        refresh = day not in self.incomplete
        rejected = completed_rejected(self.lake, day, rejected, games, refresh=refresh)
        if not rejected.num_rows or not self.lake.quarantined(day).equals(rejected):
            self.lake.write_quarantined(day, rejected)

    def _write_day(self, day: date, prices: pa.Table) -> None:
        if self.lake.write_day(day, prices, self.games[day]):
            self.report.written.append(day)
            self.report.rows += prices.num_rows
        else:
            self.report.unchanged.append(day)

    def _warn(self) -> None:
        warnings = self.report.warnings
        warnings.extend(self.checks.warnings)
        warnings.extend(self.report.doubt_warnings())
        warnings.extend(self.source.warnings)
        warnings.extend(absent_parts(self.source, self.incomplete, self.report.unchanged))
        warnings.extend(f"{why} ({count:,})" for why, count in sorted(self.report.cleaned.items()))
        if self.without_image:
            cards = counted(len(self.without_image), "card")
            warnings.append(f"{cards} without an image: the image URL does not begin with https://")
        if self.report.missing:
            missing = listed(sorted(self.report.missing), "days")
            warnings.append(f"{self.source.name} has no prices for {missing}")
        if self.report.written:
            catalog = self.lake.catalog()
            warnings.extend(unknown_printings(catalog))
            unnamed = pc.sum(pc.equal(catalog["name"], catalog["card_id"])).as_py() or 0
            if unnamed:
                warnings.append(
                    f"no name yet for {unnamed:,} of {counted(catalog.num_rows, 'card')}; "
                    "ids are used as names"
                )


def _rows_of(table: pa.Table, day: date) -> pa.Table:
    return table.filter(pc.equal(table["date"], pa.scalar(day)))


def _rejected_of(rejected: pa.Table, day: date, orphans: bool) -> pa.Table:
    """Return the rejected rows of a day, and with `orphans` those without a date."""
    ours = pc.fill_null(pc.equal(rejected["date"], pa.scalar(day)), orphans)
    return rejected.filter(ours).combine_chunks()
