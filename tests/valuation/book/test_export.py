"""Exports of a book, opened by the programs that people use."""

import csv
import os
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pokewatch.contract import ExportFormat
from pokewatch.decision import Thresholds
from pokewatch.valuation.book import PriceBook, write_book
from pokewatch.valuation.book.export import (
    EXPORT_SCHEMA,
    ExportVersions,
    exported_days,
    write_export,
)
from tests.serving.books import FACTS, catalog, make_book, rows

FORMATS: list[ExportFormat] = ["parquet", "csv"]
VERSIONS = ExportVersions("7", "dv-1")


@pytest.fixture
def book(tmp_path: Path) -> PriceBook:
    return PriceBook.open(tmp_path / "book", make_book(tmp_path / "book", unquoted=[7]))


def written(
    book: PriceBook, path: Path, file_format: ExportFormat, *days: date | None
) -> tuple[Path, int]:
    found = path / f"cards.{file_format}"
    indices = exported_days(book, *days)
    return found, write_export(book, indices, found, file_format, VERSIONS, Thresholds())


def opened(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, parse_dates=["date"], dtype={"product_id": str, "model_version": str})


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_prices_are_those_of_the_book(
    book: PriceBook, tmp_path: Path, file_format: ExportFormat
) -> None:
    path, count = written(book, tmp_path, file_format, book.last_day)
    frame, latest = opened(path), book.latest()
    assert list(frame.columns) == EXPORT_SCHEMA.names
    assert len(frame) == count == 40
    assert frame["card_id"].tolist() == book.cards.ids
    for column, values in {
        "market_price": latest.market,
        "low_price": latest.low,
        "fair_price": latest.fair,
        "lower": latest.lower,
        "upper": latest.upper,
    }.items():
        np.testing.assert_array_equal(frame[column].to_numpy(), values)
    row = frame.iloc[4]
    assert (row["name"], row["set_name"], row["number"]) == ("Pokémon 4", "Set 0", "004/100")
    assert (row["product_id"], row["market"], row["currency"]) == ("4", "simulated-0", "USD")
    assert row["status"] == "ok"
    assert (row["model_version"], row["data_version"]) == ("7", "dv-1")
    assert pd.Timestamp(row["date"]).date() == book.last_day


def test_signals_are_those_of_the_rule_and_missing_without_a_price(
    book: PriceBook, tmp_path: Path
) -> None:
    digest = make_book(tmp_path / "cheap", scale=1.25, unquoted=[7])
    cheap = PriceBook.open(tmp_path / "cheap", digest)
    path, _ = written(cheap, tmp_path, "parquet", cheap.last_day)
    frame = pd.read_parquet(path).set_index("slug")
    assert (frame.loc["card_4", "signal"], frame.loc["card_4", "deviation_pct"]) == ("BUY", -0.2)
    assert frame["signal"].isna()[["card_1", "card_7"]].all()
    assert frame.loc["card_7", "reason"] == "no_market_price"
    assert frame.loc["card_1", "status"] == "thin_history"


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_range_has_a_row_for_each_card_and_day(
    book: PriceBook, tmp_path: Path, file_format: ExportFormat
) -> None:
    path, count = written(book, tmp_path, file_format, date(2026, 1, 2), date(2026, 1, 4))
    frame = opened(path)
    assert len(frame) == count == 3 * 40
    history = book.history("card_4", date(2026, 1, 2), date(2026, 1, 4))
    own = frame[frame["slug"] == "card_4"]
    np.testing.assert_array_equal(own["market_price"].to_numpy(), history.market)
    assert [pd.Timestamp(day).date() for day in own["date"]] == history.date.tolist()


@pytest.mark.parametrize(
    ("first", "last"),
    [(date(2027, 1, 1), None), (None, date(2025, 12, 31)), (date(2026, 1, 4), date(2026, 1, 3))],
    ids=["after", "before", "reversed"],
)
def test_a_range_without_days_is_an_error(
    book: PriceBook, first: date | None, last: date | None
) -> None:
    with pytest.raises(ValueError, match="the book runs from 2026-01-01 to 2026-01-05"):
        exported_days(book, first, last)


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_same_export_has_the_same_bytes(
    book: PriceBook, tmp_path: Path, file_format: ExportFormat
) -> None:
    path, _ = written(book, tmp_path, file_format)
    before = path.read_bytes()
    written(book, tmp_path, file_format)
    assert path.read_bytes() == before


@pytest.mark.parametrize("file_format", FORMATS)
def test_duckdb_reads_it(book: PriceBook, tmp_path: Path, file_format: ExportFormat) -> None:
    path, _ = written(book, tmp_path, file_format, book.last_day)
    with duckdb.connect() as database:
        found = database.execute(
            f"select typeof(date), typeof(market_price), count(*) over (), market_price, name "
            f"from '{path}' where slug = 'card_4'"
        ).fetchall()
    assert found == [("DATE", "DOUBLE", 1, 5.04, "Pokémon 4")]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d", "\t", "\r", "\n"])
def test_a_spreadsheet_calculates_no_text(tmp_path: Path, start: str) -> None:
    name = f'{start}HYPERLINK("http://x","y")'
    table = catalog(3)
    at = table.schema.get_field_index("name")
    cards = table.set_column(at, table.schema.field(at), [[name, "plain", "a=b;=c"]])
    digest = write_book(tmp_path / "book", cards, rows(3), FACTS)
    path, _ = written(PriceBook.open(tmp_path / "book", digest), tmp_path, "csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["name"] for row in found[:3]] == [f"'{name}", "plain", "a=b;'=c"]
    assert not any(
        cell.startswith(("=", "+", "@", "\t", "\r", "\n")) for row in found for cell in row.values()
    )


def test_parquet_has_the_texts_as_they_are(tmp_path: Path) -> None:
    table = catalog(1)
    at = table.schema.get_field_index("name")
    cards = table.set_column(at, table.schema.field(at), [["=1+1"]])
    digest = write_book(tmp_path / "book", cards, rows(1), FACTS)
    path, _ = written(PriceBook.open(tmp_path / "book", digest), tmp_path, "parquet")
    assert pd.read_parquet(path)["name"].unique().tolist() == ["=1+1"]


def test_a_negative_deviation_stays_a_number_in_csv(tmp_path: Path) -> None:
    digest = make_book(tmp_path / "book", scale=1.25)
    book = PriceBook.open(tmp_path / "book", digest)
    path, _ = written(book, tmp_path, "csv", book.last_day)
    assert opened(path)["deviation_pct"].min() == -0.2


def test_a_failed_export_leaves_the_old_file_and_nothing_else(
    book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    path, _ = written(book, folder, "csv")
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        written(book, folder, "csv")
    assert path.read_bytes() == before
    assert [found.name for found in folder.iterdir()] == ["cards.csv"]


def test_many_days_are_written_a_few_at_a_time(tmp_path: Path) -> None:
    digest = make_book(tmp_path / "book", count=30_000, days=6)
    book = PriceBook.open(tmp_path / "book", digest)
    seen: list[int] = []
    path = tmp_path / "cards.parquet"
    days = exported_days(book)
    write_export(book, days, path, "parquet", VERSIONS, Thresholds(), seen.append)
    assert seen == [3, 3]
    with pq.ParquetFile(path) as file:
        assert file.num_row_groups == 2
        assert file.metadata.num_rows == 180_000
