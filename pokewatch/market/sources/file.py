"""A panel of one's own: a CSV or Parquet file with a row per card and day, its columns known by name."""

import hashlib
import json
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from pokewatch.errors import MissingAtSourceError, SettingsError, SourceError
from pokewatch.market.catalog import slugify
from pokewatch.market.sources import REJECTED_SCHEMA, PriceBatch
from pokewatch.market.sources.panel import ALIASES, SourcePanel, named_columns, read_panel
from pokewatch.settings import SourceSettings

T = TypeVar("T")

_ROWS_A_BATCH = 1_000_000


class FileSource:
    """Prices from one file. `path` goes before POKEWATCH_FILE_PATH; the lake is named for it, files of one name in two folders apart."""

    name = "file"

    def __init__(
        self,
        settings: SourceSettings,
        path: Path | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        found = path or settings.file_path
        if found is None:
            raise SettingsError(
                f"--source file: it needs the path of a CSV or Parquet file; add --file PATH or set {settings.variable('file_path')}"
            )
        self.path = found.expanduser().absolute()
        self._named_by = "--file" if path else settings.variable("file_path")
        self.lake_name = f"file-{slugify(self.path.stem, '-') or 'panel'}-{hashlib.sha256(bytes(self.path)).hexdigest()[:8]}"
        self._given = _given_columns(settings.file_columns)
        self._currency = settings.file_currency
        self._now = now

    def available(self) -> tuple[date, date]:
        """First and last day of the panel. Raises SourceError where it cannot be read."""
        days = list(self._days)
        return days[0], days[-1]

    def reach(self) -> None:
        """None: only reading all of the file tells. Raises SettingsError where there is no file,
        SourceError where its columns cannot be used."""
        if fault := _unreadable(self.path):
            raise SettingsError(
                f"{self._named_by} {str(self.path)!r}: {fault}; give the path of a CSV or Parquet file"
            )
        self._columns(self._read(_column_names))

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
                self.name,
                str(self.path),
                f"no prices of {day}; it has days from {self.available()[0]} to {self.available()[1]}",
            )

    def _batch(self, days: Sequence[date]) -> PriceBatch:
        parts = [self._panel.prices.slice(*self._days[day]) for day in days]
        undated = self.available()[0] == days[0]
        rejected = self._panel.rejected
        ours = pc.is_in(rejected["date"], value_set=pa.array(days, pa.date32()))
        return PriceBatch(
            tuple(days),
            pa.concat_tables(parts),
            rejected.filter(pc.or_(ours, pc.and_(pc.is_null(rejected["date"]), undated))),
        )

    @cached_property
    def _panel(self) -> SourcePanel:
        broken: list[csv.InvalidRow] = []
        table = self._read(lambda path, is_csv: _table(path, is_csv, broken))
        columns = self._columns(table.column_names)
        named = pa.table({field: table[name] for field, name in columns.items()})
        now = self._now()
        try:
            panel = read_panel(named, self.name, self._currency, now.date(), now)
        except pa.ArrowException as error:
            raise self._failure(f"its columns cannot be read: {error}") from None
        return SourcePanel(
            panel.prices, pa.concat_tables([panel.rejected, _rejected_lines(broken)]), panel.cards
        )

    @cached_property
    def _days(self) -> Mapping[date, tuple[int, int]]:
        """Where the rows of each day begin and how many they are; a day with rejected rows alone has none."""
        counts = self._panel.prices["date"].value_counts().to_pylist()
        found = {count["values"]: count["counts"] for count in counts}
        for day in self._panel.rejected["date"].unique().drop_null().to_pylist():
            found.setdefault(day, 0)
        if not found:
            raise self._failure(
                f"no row can be used, {self._panel.rejected.num_rows:,} were rejected"
            )
        spans, start = {}, 0
        for day in sorted(found):
            spans[day] = (start, found[day])
            start += found[day]
        return spans

    def _columns(self, names: list[str]) -> dict[str, str]:
        try:
            return named_columns(names, self._given)
        except ValueError as error:
            raise self._failure(str(error)) from None

    def _read(self, read: Callable[[Path, bool], T]) -> T:
        is_csv = self.path.suffix.lower() in (".csv", ".txt")
        try:
            return read(self.path, is_csv)
        except FileNotFoundError:
            raise self._failure("there is no such file") from None
        except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
            raise self._failure(
                f"cannot be read as {'CSV' if is_csv else 'Parquet'}: {error}"
            ) from None

    def _failure(self, cause: str) -> SourceError:
        return SourceError(self.name, str(self.path), cause)


def _unreadable(path: Path) -> str:
    """Why there is no file to read at `path`, "" where there is one."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "it is no regular file"
        path.open("rb").close()
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        return "there is no such file" if missing else f"it cannot be read ({error})"
    return ""


def _given_columns(text: str) -> dict[str, str]:
    """ "market_price=trend,card_id=sku" as a mapping. Raises SettingsError."""
    given = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        field, equals, column = (piece.strip() for piece in part.partition("="))
        if not equals or not column or field not in ALIASES:
            raise SettingsError(
                f"POKEWATCH_FILE_COLUMNS: wanted field=column, the field one of {', '.join(ALIASES)} (got {part!r})"
            )
        given[field] = column
    return given


def _column_names(path: Path, is_csv: bool) -> list[str]:
    names: list[str] = (csv.open_csv(path).schema if is_csv else pq.read_schema(path)).names
    return names


def _table(path: Path, is_csv: bool, broken: list[csv.InvalidRow]) -> pa.Table:
    return _read_csv(path, broken) if is_csv else pq.read_table(path)


def _read_csv(path: Path, broken: list[csv.InvalidRow]) -> pa.Table:
    """All cells as text: what is a number or a day is for the panel to say, row by row."""

    def skip(row: csv.InvalidRow) -> str:
        broken.append(row)
        return "skip"

    parse = csv.ParseOptions(invalid_row_handler=skip)
    names = csv.open_csv(path, parse_options=parse).schema.names
    broken.clear()
    text = dict.fromkeys(names, pa.string())
    convert = csv.ConvertOptions(check_utf8=False, column_types=text, strings_can_be_null=True)
    table = csv.read_csv(path, csv.ReadOptions(use_threads=False), parse, convert)
    return pa.table([_utf8(column) for column in table.columns], names=table.column_names)


def _utf8(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The texts, with replacement characters for bytes that are no UTF-8."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        cells = column.cast(pa.binary()).to_pylist()
        texts = [None if cell is None else cell.decode(errors="replace") for cell in cells]
        return pa.chunked_array([pa.array(texts, pa.string())])
    return column


def _rejected_lines(broken: Sequence[csv.InvalidRow]) -> pa.Table:
    rows = [
        {
            "row": json.dumps(row.text),
            "reason": f"the line has {row.actual_columns} cells, not {row.expected_columns}",
        }
        for row in broken
    ]
    return pa.Table.from_pylist(rows, schema=REJECTED_SCHEMA)
