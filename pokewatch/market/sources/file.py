"""A panel of one's own: a CSV or Parquet file with a row per card and day, its columns known by name."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from pokewatch.errors import MissingAtSourceError, SettingsError, SourceError
from pokewatch.market.catalog import slugify
from pokewatch.market.sources import REJECTED_SCHEMA, PriceBatch
from pokewatch.market.sources.panel import ALIASES, Panel, named_columns, read_panel
from pokewatch.settings import SourceSettings

_ROWS_A_BATCH = 1_000_000


class FileSource:
    """Prices from one file. `path` goes before POKEWATCH_FILE_PATH; the lake is named for it, files of one name in two folders apart."""

    name = "file"

    def __init__(self, settings: SourceSettings, path: Path | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        found = path or settings.file_path
        if found is None:
            raise SettingsError("POKEWATCH_FILE_PATH: the source `file` needs the path of a CSV or Parquet file")
        self.path = found.expanduser().absolute()
        self.lake_name = f"file-{slugify(self.path.stem, '-') or 'panel'}-{hashlib.sha256(bytes(self.path)).hexdigest()[:8]}"
        self._given = _given_columns(settings.file_columns)
        self._currency = settings.file_currency
        self._now = now

    def available(self) -> tuple[date, date]:
        """First and last day of the panel. Raises SourceError where it cannot be read."""
        days = list(self._days)
        return days[0], days[-1]

    def catalog(self) -> pa.Table:
        """Every card, each column the last thing the panel says of it. Raises SourceError."""
        return self._panel.cards

    def prices(self, days: Sequence[date]) -> Iterator[PriceBatch]:
        """The asked days, about a million rows at a time. Raises MissingAtSourceError for a day the panel lacks."""
        batch: list[date] = []
        rows = 0
        for day in sorted(days):
            if day not in self._days:
                break
            batch.append(day)
            rows += self._days[day][1]
            if rows >= _ROWS_A_BATCH:
                yield self._batch(batch)
                batch, rows = [], 0
        else:
            day = None
        if batch:
            yield self._batch(batch)
        if day:
            raise MissingAtSourceError(
                self.name, str(self.path), f"no prices of {day}; it has days from {self.available()[0]} to {self.available()[1]}"
            )

    def _batch(self, days: Sequence[date]) -> PriceBatch:
        parts = [self._panel.prices.slice(*self._days[day]) for day in days]
        undated = self.available()[0] == days[0]
        rejected = self._panel.rejected
        ours = pc.is_in(rejected["date"], value_set=pa.array(days, pa.date32()))
        return PriceBatch(
            tuple(days), pa.concat_tables(parts), rejected.filter(pc.or_(ours, pc.and_(pc.is_null(rejected["date"]), undated)))
        )

    @cached_property
    def _panel(self) -> Panel:
        broken: list[csv.InvalidRow] = []
        table = self._read(broken)
        try:
            columns = named_columns(table.column_names, self._given)
        except ValueError as error:
            raise self._failure(str(error)) from None
        named = pa.table({field: table[name] for field, name in columns.items()})
        now = self._now()
        panel = read_panel(named, self.name, self._currency, now.date(), now)
        return Panel(panel.prices, pa.concat_tables([panel.rejected, _rejected_lines(broken)]), panel.cards)

    @cached_property
    def _days(self) -> Mapping[date, tuple[int, int]]:
        """Where the rows of each day begin and how many they are; a day with rejected rows alone has none."""
        counts = self._panel.prices["date"].value_counts().to_pylist()
        found = {count["values"]: count["counts"] for count in counts}
        for day in self._panel.rejected["date"].unique().drop_null().to_pylist():
            found.setdefault(day, 0)
        if not found:
            raise self._failure(f"no row can be used, {self._panel.rejected.num_rows:,} were rejected")
        spans, start = {}, 0
        for day in sorted(found):
            spans[day] = (start, found[day])
            start += found[day]
        return spans

    def _read(self, broken: list[csv.InvalidRow]) -> pa.Table:
        is_csv = self.path.suffix.lower() in (".csv", ".txt")
        try:
            return _read_csv(self.path, broken) if is_csv else pq.read_table(self.path)
        except FileNotFoundError:
            raise self._failure("there is no such file") from None
        except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
            raise self._failure(f"cannot be read as {'CSV' if is_csv else 'Parquet'}: {error}") from None

    def _failure(self, cause: str) -> SourceError:
        return SourceError(self.name, str(self.path), cause)


def _given_columns(text: str) -> dict[str, str]:
    """ "market_price=trend,card_id=sku" as a mapping. Raises SettingsError."""
    given = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        field, equals, column = (piece.strip() for piece in part.partition("="))
        if not equals or not column or field not in ALIASES:
            raise SettingsError(f"POKEWATCH_FILE_COLUMNS: wanted field=column, the field one of {', '.join(ALIASES)} (got {part!r})")
        given[field] = column
    return given


def _read_csv(path: Path, broken: list[csv.InvalidRow]) -> pa.Table:
    """All cells as text: what is a number or a day is for the panel to say, row by row."""

    def skip(row: csv.InvalidRow) -> str:
        broken.append(row)
        return "skip"

    parse = csv.ParseOptions(invalid_row_handler=skip)
    names = csv.open_csv(path, parse_options=parse).schema.names
    broken.clear()
    convert = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True)
    return csv.read_csv(path, csv.ReadOptions(use_threads=False), parse, convert)


def _rejected_lines(broken: Sequence[csv.InvalidRow]) -> pa.Table:
    rows = [
        {"row": json.dumps(row.text), "reason": f"the line has {row.actual_columns} cells, not {row.expected_columns}"} for row in broken
    ]
    return pa.Table.from_pylist(rows, schema=REJECTED_SCHEMA)
