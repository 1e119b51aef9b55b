import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pokewatch.serving.catalog import answer
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.record_reader import RecordReader
from pokewatch.serving.record_views import record_piece
from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.track_record import LATE, Issue, TrackRecord, add_issues, write_record
from tests.serving.books import FACTS, make_book
from tests.valuation.test_track_record import forecasts

METRICS = {
    "mape": 4.2,
    "rmae_last": 0.97,
    "rmae_last_low": 0.9,
    "rmae_last_high": 1.04,
    "windows": 12.0,
    "dataset_size": 480.0,
    "beats_last_price": 0.0,
}


def loaded(folder: Path, metrics: Mapping[str, float] = METRICS) -> LoadedBook:
    digest = make_book(folder / "book", 5, facts=replace(FACTS, metrics=metrics))
    book = PriceBook.open(folder / "book", digest)
    return LoadedBook(book, "7", "dv-1", "run-1", RecordReader(folder / "record"))


def view(found: LoadedBook) -> dict[str, Any]:
    status, content = answer(found, "track_record", {})
    assert status == 200
    return content


def test_without_a_record_the_evaluation_is_shown(tmp_path: Path) -> None:
    content = view(loaded(tmp_path))
    assert (content["measured_on"], content["horizons"], content["files"]) == (None, [], [])
    assert content["served"] == {
        "model_version": "7",
        "issued_on": "2026-01-05",
        "due_on": "2026-01-12",
        "horizon": 7,
        "forecasts": 4,
    }
    evaluation = content["evaluation"]
    assert evaluation["error"] == {"value": 0.97, "low": 0.9, "high": 1.04}
    assert (evaluation["card_days"], evaluation["coverage"]) == (480, None)
    assert evaluation["skill"] == "no better than the last price"


def test_a_book_without_evaluation(tmp_path: Path) -> None:
    evaluation = view(loaded(tmp_path, {}))["evaluation"]
    assert (evaluation["error"], evaluation["mape"], evaluation["card_days"]) == (None, None, None)


def test_open_and_excluded_issues_are_counted(tmp_path: Path) -> None:
    day = date(2026, 1, 1)
    issues = (
        Issue("1", "last", "a", day, day, 7, 4, 2, resolved=True),
        Issue("2", "last", "b", day, day, 7, 4, 1, excluded=LATE),
        Issue("3", "last", "c", day, day, 7, 4, 1),
    )
    write_record(tmp_path / "record", TrackRecord("simulated", "USD", day, 3, issues))
    content = view(loaded(tmp_path))
    assert [issue["model_version"] for issue in content["open"]] == ["3"]
    assert (content["unvalued"], content["late"], content["unread"]) == (2, 1, 3)


@pytest.mark.parametrize(("source", "currency"), [("tcgcsv", "USD"), ("simulated", "EUR")])
def test_the_record_of_another_market_is_not_shown(
    source: str, currency: str, tmp_path: Path
) -> None:
    write_record(tmp_path / "record", TrackRecord(source, currency, date(2026, 1, 1), 3))
    content = view(loaded(tmp_path))
    assert (content["measured_on"], content["unread"]) == (None, 0)


def test_pieces(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    (file,) = add_issues(tmp_path / "record", (), [forecasts(date(2026, 1, 1))])
    wanted = {"name": file.name, "number": 0}
    assert record_piece(found, {**wanted, "format": "parquet"})[0] == 200
    status, text = record_piece(found, {**wanted, "format": "csv", "header": True})
    assert status == 200
    assert isinstance(text, bytes)
    assert text.startswith(b'"issued_on","due_on"')
    empty = {"name": "", "number": 0}
    assert record_piece(found, {**empty, "format": "csv"}) == (200, text.splitlines(True)[0])
    status, parquet = record_piece(found, {**empty, "format": "parquet"})
    assert isinstance(parquet, bytes)
    assert pq.read_table(io.BytesIO(parquet)).num_rows == 0
    assert record_piece(found, {**empty, "number": 1, "format": "csv"}) == (200, b"")
    assert record_piece(found, {**wanted, "name": "x", "format": "csv"})[0] == 404
    faults: list[Any] = [{**wanted, "format": "xlsx"}, {}, [], {**wanted, "format": 1}, None]
    faults.append({**wanted, "format": "csv", "number": -1})
    for fault in faults:
        assert record_piece(found, fault)[0] == 422
