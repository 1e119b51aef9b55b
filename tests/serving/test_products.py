from pathlib import Path

import pyarrow as pa
import pytest

from pokewatch.serving.catalog import answer
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.record_reader import RecordReader
from pokewatch.valuation.book import PriceBook, write_book
from tests.serving.books import FACTS, catalog, forecasts, rows

IDS = ['{"tcgplayer": 11}', '{"file": "11"}', '{"tcgplayer": "11"}', None, '{"tcgplayer": 111}']


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedBook:
    """A book of cards with the source ids IDS."""
    cards, values = catalog(len(IDS)), rows(len(IDS))
    at = cards.schema.get_field_index("source_ids")
    cards = cards.set_column(at, cards.schema.field(at), pa.array(IDS))
    digest = write_book(tmp_path / "book", cards, values, FACTS, forecasts(values))
    book = PriceBook.open(tmp_path / "book", digest)
    return LoadedBook(book, "7", "dv-1", "run-1", RecordReader(tmp_path / "record"))


@pytest.mark.parametrize(
    ("product", "slugs"), [("11", ["card_0", "card_2"]), ("111", ["card_4"]), ("1", [])]
)
def test_the_cards_of_a_product(loaded: LoadedBook, product: str, slugs: list[str]) -> None:
    status, found = answer(loaded, "product", {"product_id": product})
    assert (status, [card["slug"] for card in found["cards"]]) == (200, slugs)


def test_the_product_of_a_card(loaded: LoadedBook) -> None:
    found = [answer(loaded, "card", {"card_id": f"card_{i}"})[1]["product_id"] for i in range(5)]
    assert found == ["11", None, "11", None, "111"]


@pytest.mark.parametrize("product", ["", "x", "1.*", "1" * 21])
def test_other_products_are_refused(loaded: LoadedBook, product: str) -> None:
    assert answer(loaded, "product", {"product_id": product})[0] == 422
