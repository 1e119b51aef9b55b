from pathlib import Path

import pytest

from pokewatch.serving.catalog import answer
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.record_reader import RecordReader
from tests.collection.books import collection_book


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedBook:
    book = collection_book(tmp_path, days=5)
    return LoadedBook(book, "7", "dv-1", "run-1", RecordReader(tmp_path / "record"))


def test_fees_of_the_settings_in_another_currency_are_no_failure_of_the_server(
    loaded: LoadedBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_FEES", "cardmarket")
    lines = {"lines": [{"card_id": "charizard_4"}]}
    status, body = answer(loaded, "collection", lines)
    assert status == 422
    assert "POKEWATCH_FEES 'cardmarket': the fees of cardmarket are in EUR" in body["error"]
    status, body = answer(loaded, "collection", lines | {"fees": "ebay"})
    assert (status, body["fees"]) == (200, "ebay")
