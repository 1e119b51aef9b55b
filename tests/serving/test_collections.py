from base64 import b64encode
from pathlib import Path

import pytest

from pokewatch.collection.exports import read_collection
from pokewatch.collection.headers import ALONE, EXAMPLE, KNOWN_HEADERS
from pokewatch.market.tabular.reading import read_sheet
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


@pytest.mark.parametrize(
    "content",
    [
        "Cards\nName;Price\nPikachu;3\n",
        "Cards of mine,\nName,Date\nPikachu,2024-01-01\n",
        "name\nname,date\n",
        "Name;Market Price\nPikachu;3\nUmbreon VMAX;4\n\nname;trend\nMew;1\n",
    ],
)
def test_a_file_is_read_as_the_command_reads_it(
    loaded: LoadedBook, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(content)
    sheet = read_sheet(path, names=sorted(KNOWN_HEADERS), alone=ALONE, example=EXAMPLE)
    read = read_collection(sheet)
    status, body = answer(loaded, "collection", {"file": b64encode(content.encode()).decode()})
    assert status == 200
    assert [(each["line"], each["name"]) for each in body["lines"]] == [
        (each.line, each.title) for each in read.lines
    ]
    assert [each["line"] for each in body["refused"]] == [each.line for each in read.refused]
