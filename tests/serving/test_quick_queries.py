"""Which queries of the catalogue run without a thread."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pokewatch.contract import MAX_QUERIES
from pokewatch.serving.quick_queries import is_quick
from pokewatch.valuation.book import PriceBook
from tests.serving.books import make_book

CARD = {"query": "card", "payload": {"card_id": "card_4"}}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("quick") / "book"
    return SimpleNamespace(book=PriceBook.open(folder, make_book(folder)))


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("card", {"card_id": "card_4"}),
        ("history", {"card_id": "tcgplayer-4-normal", "from": 5}),  # refused as quickly
        ("printings", {"card_id": "card_4", "other": []}),
        ("batch", {"queries": [CARD] * MAX_QUERIES}),
    ],
)
def test_queries_of_known_cards_are_quick(loaded: Any, name: str, payload: Any) -> None:
    assert is_quick(loaded, name, payload)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("card", {"card_id": "card_404"}),  # similar cards are searched for
        ("card", {"card_id": ["card_4"]}),
        ("card", ["card_4"]),
        ("card", None),
        ("search", {"card_id": "card_4"}),
        ("batch", None),
        ("batch", {"queries": []}),
        ("batch", {"queries": {}}),
        ("batch", {"queries": [CARD] * (MAX_QUERIES + 1)}),
        ("batch", {"queries": [CARD, {"query": "movers", "payload": {}}]}),
        ("batch", {"queries": [CARD, {"query": "card", "payload": {"card_id": "no"}}]}),
        ("batch", {"queries": [CARD, {"query": ["card"], "payload": {}}]}),
        ("batch", {"queries": [CARD, "card"]}),
    ],
)
def test_all_others_are_not(loaded: Any, name: str, payload: Any) -> None:
    assert not is_quick(loaded, name, payload)
