from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from pokewatch.serving import loaded_books
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.record_reader import RecordReader
from pokewatch.valuation.book import PriceBook
from tests.serving.books import make_book


def test_the_matcher_is_made_once_by_the_first_requests_and_not_by_a_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    def matcher(book: PriceBook) -> object:
        made.append(book)
        return object()

    monkeypatch.setattr(loaded_books, "Matcher", matcher)
    book = PriceBook.open(tmp_path, make_book(tmp_path))
    loaded = LoadedBook(book, "1", "2", "3", RecordReader(tmp_path / "record"))
    assert made == []
    start = Barrier(8)

    def ask(_: int) -> Any:
        start.wait(10)
        return loaded.matcher()

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(ask, range(8)))
    assert len(found) == 1
    assert made == [book]
