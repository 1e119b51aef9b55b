"""Prices from a user-supplied file: text in any common form, a workbook, or Parquet."""

import hashlib
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pokewatch.errors import MissingAtSourceError, SettingsError, SourceError
from pokewatch.market.catalog import slugify
from pokewatch.market.known_prices import scale_fault
from pokewatch.market.lake import Lake
from pokewatch.market.sources import PriceBatch, Source
from pokewatch.market.tabular.column_names import FIELDS
from pokewatch.market.tabular.columns import find_columns
from pokewatch.market.tabular.number_columns import DECIMAL_NAMES
from pokewatch.market.tabular.options import TableOptions
from pokewatch.market.tabular.price_table import PriceTable, read_price_table
from pokewatch.market.tabular.reading import read_sheet
from pokewatch.market.tabular.sheet import Sheet, TableError
from pokewatch.market.tabular.snapshot import with_day
from pokewatch.settings import SourceSettings

_ROWS_A_BATCH = 1_000_000


def file_market(path: Path) -> str:
    """Return the id of the market of a file."""
    return f"file-{slugify(path.stem, '-')[:50].strip('-') or 'prices'}"


class FileSource(Source):
    """Prices from one file.

    `path` overrides POKEWATCH_FILE_PATH. The lake is named after the file; files of one name in
    two folders have lakes of their own.
    """

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
                "--source file needs the path of a file of prices; "
                f"add --file PATH or set {settings.variable('file_path')}"
            )
        self.path = found.expanduser().absolute()
        self._named_by = "--file" if path else settings.variable("file_path")
        self.market = file_market(self.path)
        digest = hashlib.sha256(bytes(self.path)).hexdigest()[:8]
        self.lake_name = f"file-{slugify(self.path.stem, '-') or 'panel'}-{digest}"
        self._options = table_options(settings)
        self._now = now

    def available(self) -> tuple[date, date]:
        """Return the first and last day of the file. Raise SourceError where it cannot be read."""
        days = list(self._days)
        return days[0], days[-1]

    def reach(self) -> None:
        """Return None: only reading the whole file tells its days.

        Raise SettingsError where there is no file, SourceError where its columns cannot be used.
        """
        if fault := _unreadable(self.path):
            raise SettingsError(
                f"{self._named_by} {str(self.path)!r}: {fault}; use the path of a file of prices"
            )
        try:
            find_columns(self._sheet.names, self._options.columns, self._options.key)
        except TableError as error:
            raise self._failure(str(error)) from None

    def catalog(self) -> pa.Table:
        """Return every card with the last value of each column. Raise SourceError."""
        return self.table.cards

    def prices(self, days: Sequence[date]) -> Iterator[PriceBatch]:
        """Return the given days, about a million rows at a time.

        Raise MissingAtSourceError for a day that the file lacks.
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

    def check_scale(self, lakes: Iterable[Lake]) -> None:
        """Raise SourceError where `scale_fault` finds one."""
        if fault := self.scale_fault(lakes):
            raise self._failure(fault)

    def scale_fault(self, lakes: Iterable[Lake]) -> str | None:
        """Return by what factor the prices differ from those of other lakes, and what to do.

        None if they do not, or if the user has named their unit.
        """
        if self._options.unit is not None:
            return None
        fault = scale_fault(self.table.prices, self.table.cards, lakes)
        return fault and (
            f"{fault}; if they are in cents, set POKEWATCH_FILE_UNIT=cents, and if they are right "
            "as they are, POKEWATCH_FILE_UNIT=whole"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """Parts of the file that are not read, each with its first line and cell."""
        table, name = self.table, self.path.name
        read = (*table.notes, *_assumed(table), *table.units(), *table.merged())
        return tuple(f"{name}: {each}" for each in (*read, *map(str, table.left_out)))

    @cached_property
    def table(self) -> PriceTable:
        """The content of the file, and how it was understood. Raise SourceError."""
        now = self._now()
        try:
            return read_price_table(self._sheet, self._options, self.name, now.date(), now)
        except TableError as error:
            raise self._failure(str(error)) from None
        except pa.ArrowException as error:
            raise self._failure(f"its columns cannot be read: {error}") from None

    @cached_property
    def _sheet(self) -> Sheet:
        names = tuple(self._options.columns.values())
        try:
            sheet = read_sheet(
                self.path,
                encoding=self._options.encoding,
                names=names,
                encoding_setting="POKEWATCH_FILE_ENCODING",
            )
            return with_day(sheet, self._options.columns, self._options.day)
        except FileNotFoundError:
            raise self._failure("the file does not exist") from None
        except (OSError, TableError) as error:
            raise self._failure(str(error)) from None

    def _batch(self, days: Sequence[date]) -> PriceBatch:
        parts = [self.table.prices.slice(*self._days[day]) for day in days]
        undated = self.available()[0] == days[0]
        rejected = self.table.rejected
        ours = pc.is_in(rejected["date"], value_set=pa.array(days, pa.date32()))
        chosen = pc.or_(ours, pc.and_(pc.is_null(rejected["date"]), undated))
        return PriceBatch(tuple(days), pa.concat_tables(parts), rejected.filter(chosen))

    @cached_property
    def _days(self) -> Mapping[date, tuple[int, int]]:
        """Where the rows of each day begin and how many there are; none for a day of bad rows."""
        counts = self.table.prices["date"].value_counts().to_pylist()
        found = {count["values"]: count["counts"] for count in counts}
        for day in self.table.rejected["date"].unique().drop_null().to_pylist():
            found.setdefault(day, 0)
        if not found:
            left_out = "; ".join(map(str, self.table.left_out[:3]))
            raise self._failure(f"no row can be used: {left_out or 'there are none'}")
        spans, start = {}, 0
        for day in sorted(found):
            spans[day] = (start, found[day])
            start += found[day]
        return spans

    def _failure(self, cause: str) -> SourceError:
        return SourceError(self.name, str(self.path), cause)


def _assumed(table: PriceTable) -> Iterator[str]:
    """Yield a doubt about a currency: few countries that write a decimal comma have dollars."""
    if table.assumed_currency == "USD" and table.decimal == DECIMAL_NAMES["comma"]:
        yield (
            "the prices have a decimal comma and no currency, and are stored as USD; "
            "if they are in EUR, set POKEWATCH_FILE_CURRENCY=EUR"
        )


def table_options(settings: SourceSettings) -> TableOptions:
    """Return the options of a user-supplied file from the settings. Raise SettingsError."""
    return TableOptions(
        columns=_given_columns(settings.file_columns),
        currency=settings.file_currency,
        dates=settings.file_dates,
        decimal=settings.file_decimal,
        unit=settings.file_unit,
        encoding=settings.file_encoding,
        key=settings.file_key,
        day=settings.file_day,
    )


def _unreadable(path: Path) -> str:
    """Return why there is no file to read at `path`, "" where there is one."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "not a regular file"
        path.open("rb").close()
    except FileNotFoundError:
        return "the file does not exist"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except ValueError as error:
        return f"cannot be read ({error})"
    return ""


def _given_columns(text: str) -> dict[str, str]:
    """Return "market_price=trend,card_id=sku" as a mapping. Raise SettingsError."""
    given = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        field, equals, column = (piece.strip() for piece in part.partition("="))
        if not equals or not column or field not in FIELDS:
            raise SettingsError(
                f"POKEWATCH_FILE_COLUMNS: {part!r} is not field=column; "
                f"the fields are {', '.join(FIELDS)}"
            )
        given[field] = column
    return given
