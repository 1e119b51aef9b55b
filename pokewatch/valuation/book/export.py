"""The cards of a book as one file, Parquet or CSV: a row per card and day."""

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import csv

from pokewatch.atomic_file import atomic_file
from pokewatch.contract import ExportFormat
from pokewatch.csv_cells import BYTE_ORDER_MARK, FORMULA_STARTS, INNER_FORMULA, INNER_TEXT
from pokewatch.decision import Thresholds, decide
from pokewatch.valuation.book.reader import PriceBook

EXPORT_SCHEMA = pa.schema(
    [
        pa.field("date", pa.date32(), nullable=False),
        pa.field("card_id", pa.string(), nullable=False),
        pa.field("slug", pa.string(), nullable=False),
        pa.field("product_id", pa.string()),  # at TCGplayer, as in tcgplayer-<product id>-normal
        pa.field("name", pa.string(), nullable=False),
        pa.field("set_id", pa.string(), nullable=False),
        pa.field("set_name", pa.string(), nullable=False),
        pa.field("set_code", pa.string()),
        pa.field("number", pa.string()),
        pa.field("rarity", pa.string()),
        pa.field("printing", pa.string()),
        pa.field("game", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("language", pa.string()),
        pa.field("market", pa.string(), nullable=False),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("market_price", pa.float64()),
        pa.field("low_price", pa.float64()),
        pa.field("fair_price", pa.float64()),
        pa.field("lower", pa.float64()),  # the ends of the 90% interval
        pa.field("upper", pa.float64()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("signal", pa.string()),  # null where there is no price to judge
        pa.field("reason", pa.string(), nullable=False),
        pa.field("deviation_pct", pa.float64()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("data_version", pa.string(), nullable=False),
    ]
)
_CATALOG = (
    "card_id",
    "slug",
    "name",
    "set_id",
    "set_name",
    "set_code",
    "number",
    "rarity",
    "printing",
    "game",
    "kind",
    "language",
)
_PRODUCT = r"^tcgplayer-(?P<product>[0-9]+)-"
_ROW_GROUP = 65_536


class ExportVersions(NamedTuple):
    """The versions of the model and the data of a book."""

    model_version: str
    data_version: str


def exported_days(
    book: PriceBook, first: date | None = None, last: date | None = None
) -> NDArray[np.intp]:
    """Return the indices of the days of a book from `first` to `last`, inclusive.

    None leaves a side open. Raise ValueError if the book has none of them.
    """
    start = 0 if first is None else int(np.searchsorted(book.dates, np.datetime64(first)))
    end = len(book.dates)
    if last is not None:
        end = int(np.searchsorted(book.dates, np.datetime64(last), side="right"))
    if start >= end:
        raise ValueError(
            f"no prices from {first or book.first_day} to {last or book.last_day}: "
            f"the book runs from {book.first_day} to {book.last_day}"
        )
    return np.arange(start, end)


def write_export(
    book: PriceBook,
    days: NDArray[np.intp],
    path: Path,
    file_format: ExportFormat,
    versions: ExportVersions,
    thresholds: Thresholds,
    progress: Callable[[int], object] = lambda _: None,
) -> int:
    """Write the rows of `days` (indices) to `path`, whole or not at all; return their number.

    A few days are in memory at a time. `progress` is called with the number of days written. The
    same book and arguments give the same bytes. Raise OSError if the file cannot be written.
    """
    rows = 0
    with atomic_file(path) as file, _writer(file, file_format, book) as write:
        for group, count in _groups(book, days, versions, thresholds):
            write(group)
            rows += group.num_rows
            progress(count)
    return rows


def _groups(
    book: PriceBook, days: NDArray[np.intp], versions: ExportVersions, thresholds: Thresholds
) -> Iterator[tuple[pa.Table, int]]:
    """Yield the rows of several days at a time, at least _ROW_GROUP, and the number of days."""
    catalog = _catalog(book, versions)
    size = max(1, -(-_ROW_GROUP // max(len(book.cards), 1)))
    for start in range(0, len(days), size):
        group = days[start : start + size]
        tables = [_day(book, int(day), catalog, thresholds) for day in group]
        yield pa.concat_tables(tables).combine_chunks(), len(group)


def _catalog(book: PriceBook, versions: ExportVersions) -> dict[str, pa.Array]:
    """Return the columns that are the same on every day."""
    count = len(book.cards)
    columns = {name: book.cards.column(name).combine_chunks() for name in _CATALOG}
    products = pc.struct_field(pc.extract_regex(columns["card_id"], _PRODUCT), "product")
    facts = book.facts
    constants = {"market": facts.market, "currency": facts.currency, "source": facts.source}
    constants |= versions._asdict()
    return {
        **columns,
        "product_id": products,
        **{name: pa.repeat(value, count) for name, value in constants.items()},
    }


def _day(
    book: PriceBook, day: int, catalog: dict[str, pa.Array], thresholds: Thresholds
) -> pa.Table:
    prices = book.on_day(day)
    decided = decide(
        prices.market,
        prices.fair,
        prices.lower,
        prices.upper,
        prices.status,
        thresholds=thresholds,
        on_fault="hold",
    )
    judged = np.isfinite(decided.deviation_pct)
    columns = catalog | {
        "date": pa.repeat(pa.scalar(prices.date[0].item(), pa.date32()), len(judged)),
        "market_price": _floats(prices.market),
        "low_price": _floats(prices.low),
        "fair_price": _floats(prices.fair),
        "lower": _floats(prices.lower),
        "upper": _floats(prices.upper),
        "status": pa.array(prices.status, pa.string()),
        "signal": pa.array(decided.signal.tolist(), pa.string(), mask=~judged),
        "reason": pa.array(decided.reason.tolist(), pa.string()),
        "deviation_pct": _floats(decided.deviation_pct),
    }
    return pa.table([columns[name] for name in EXPORT_SCHEMA.names], schema=EXPORT_SCHEMA)


def _floats(values: NDArray[np.float64]) -> pa.Array:
    """Return the values with null for NaN."""
    return pa.array(values, pa.float64(), from_pandas=True)


@contextlib.contextmanager
def _writer(
    file: IO[bytes], file_format: ExportFormat, book: PriceBook
) -> Iterator[Callable[[pa.Table], None]]:
    if file_format == "parquet":
        facts = {
            "model": book.facts.model,
            "horizon_days": book.facts.horizon,
            "interval": 0.9,
            "market": book.facts.market,
            "currency": book.facts.currency,
        }
        schema = EXPORT_SCHEMA.with_metadata({"pokewatch": json.dumps(facts)})
        with pq.ParquetWriter(file, schema, compression="zstd") as parquet:
            yield lambda table: parquet.write_table(table.cast(schema))
        return
    file.write(BYTE_ORDER_MARK)
    with csv.CSVWriter(file, EXPORT_SCHEMA) as writer:
        yield lambda table: writer.write_table(_without_formulas(table))


def _without_formulas(table: pa.Table) -> pa.Table:
    """Return the table with an apostrophe before texts that a spreadsheet would calculate."""
    pattern = f"^[{''.join(map(_escaped, FORMULA_STARTS))}]"
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            column = pc.replace_substring_regex(table.column(at), INNER_FORMULA, INNER_TEXT)
            formula = pc.fill_null(pc.match_substring_regex(column, pattern), False)
            safe = pc.if_else(formula, pc.binary_join_element_wise("'", column, ""), column)
            table = table.set_column(at, field, safe)
    return table


def _escaped(letter: str) -> str:
    return f"\\x{{{ord(letter):x}}}"
