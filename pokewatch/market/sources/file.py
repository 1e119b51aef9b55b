"""A user-supplied CSV or Parquet file with a row for each card and day."""

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
    """Prices from one file: `path`, or else POKEWATCH_FILE_PATH. Each path has its own lake."""

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
                "--source file needs the path of a CSV or Parquet file; "
                f"add --file PATH or set {settings.variable('file_path')}"
            )
        self.path = found.expanduser().absolute()
        self._named_by = "--file" if path else settings.variable("file_path")
        digest = hashlib.sha256(bytes(self.path)).hexdigest()[:8]
        self.lake_name = f"file-{slugify(self.path.stem, '-') or 'panel'}-{digest}"
        self._given = _given_columns(settings.file_columns)
        self._currency = settings.file_currency
        self._now = now

    def available(self) -> tuple[date, date]:
        """Return the first and last day of the file. Raise SourceError if it cannot be read."""
        days = list(self._days)
        return days[0], days[-1]

    def reach(self) -> None:
        """Return None, as the days are unknown before the whole file is read.

        Raise SettingsError if there is no file, SourceError if its columns cannot be used.
        """
        if fault := _unreadable(self.path):
            raise SettingsError(
                f"{self._named_by} {str(self.path)!r}: {fault}; "
                "use the path of a CSV or Parquet file"
            )
        self._columns(self._read(_column_names))

    def catalog(self) -> pa.Table:
        """Return every card, with the last value of each column. Raise SourceError."""
        return self._panel.cards

    def prices(self, days: Sequence[date]) -> Iterator[PriceBatch]:
        """Yield `days` in batches of about a million rows.

        Raise MissingAtSourceError for a day that the file does not have.
        """
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
            first, last = self.available()
            cause = f"no prices for {day}; the file has days from {first} to {last}"
            raise MissingAtSourceError(self.name, str(self.path), cause)

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
        """The first row and number of rows of each day, 0 if all of its rows were rejected."""
        counts = self._panel.prices["date"].value_counts().to_pylist()
        found = {count["values"]: count["counts"] for count in counts}
        for day in self._panel.rejected["date"].unique().drop_null().to_pylist():
            found.setdefault(day, 0)
        if not found:
            raise self._failure(
                f"no row can be used: {self._panel.rejected.num_rows:,} were rejected"
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
            raise self._failure("the file does not exist") from None
        except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
            raise self._failure(
                f"cannot be read as {'CSV' if is_csv else 'Parquet'}: {error}"
            ) from None

    def _failure(self, cause: str) -> SourceError:
        return SourceError(self.name, str(self.path), cause)


def _unreadable(path: Path) -> str:
    """Return why `path` cannot be read, "" if it can."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "not a regular file"
        path.open("rb").close()
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        return "the file does not exist" if missing else f"cannot be read ({error})"
    return ""


def _given_columns(text: str) -> dict[str, str]:
    """Parse "market_price=trend,card_id=sku" into a mapping. Raise SettingsError."""
    given = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        field, equals, column = (piece.strip() for piece in part.partition("="))
        if not equals or not column or field not in ALIASES:
            raise SettingsError(
                f"POKEWATCH_FILE_COLUMNS: {part!r} is not field=column; "
                f"the fields are {', '.join(ALIASES)}"
            )
        given[field] = column
    return given


def _column_names(path: Path, is_csv: bool) -> list[str]:
    names: list[str] = (csv.open_csv(path).schema if is_csv else pq.read_schema(path)).names
    return names


def _table(path: Path, is_csv: bool, broken: list[csv.InvalidRow]) -> pa.Table:
    return _read_csv(path, broken) if is_csv else pq.read_table(path)


def _read_csv(path: Path, broken: list[csv.InvalidRow]) -> pa.Table:
    """Read all cells as text; `read_panel` parses numbers and dates row by row."""

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
    """Return the texts, with replacement characters for bytes that are not UTF-8."""
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
