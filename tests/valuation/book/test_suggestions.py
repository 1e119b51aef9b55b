from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from pokewatch.market.catalog import CARD_SCHEMA, GAME_COLUMNS
from pokewatch.valuation.book import BookRows, PriceBook, write_book
from pokewatch.valuation.book.suggestions import parse_search
from tests.serving.books import FACTS

CARDS = [
    ("tcgplayer-517045-holofoil", "charizard_ex_199", "Charizard ex", "151", "199/165"),
    ("tcgplayer-517046-holofoil", "dark_charizard_4", "Dark Charizard", "Team Rocket", "4/82"),
    ("tcgplayer-42-normal", "charmander_4", "Charmander", "151", "004/165"),
    ("tcgplayer-43-normal", "nidoran_f_29", "Nidoran ♀", "Jungle", "57/64"),
    ("tcgplayer-44-normal", "pikachu_25", "Pikachu", "151", "025/165"),
    ("tcgplayer-44-reverse-holofoil", "pikachu_25_r", "Pikachu", "151", "025/165"),
    ("tcgplayer-45-normal", "lizardon", "リザードン", "拡張パック", "006"),
]
PRICES = [80.0, 120.0, 1.0, 2.0, 3.0, 5.0, 9.0]


TCGPLAYER = "https://www.tcgplayer.com/product"
CARDMARKET = "https://www.cardmarket.com/en/Pokemon/Products/Singles"


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    ids, slugs, names, sets, numbers = zip(*CARDS, strict=True)
    count = len(CARDS)
    columns = {
        "card_id": ids,
        "slug": slugs,
        "name": names,
        "set_id": [name.lower() for name in sets],
        "set_name": sets,
        "number": numbers,
        "rarity": [None] * count,
        "printing": [card_id.split("-", 2)[2] for card_id in ids],
        "released": [date(2025, 6, 1)] * count,
        "image_url": [None] * count,
        "source_ids": [None] * count,
        **{name: [None] * count for name in GAME_COLUMNS},
    }
    market = np.array(PRICES)[:, None]
    dates = np.array(["2026-01-01"], dtype="datetime64[D]")
    status = np.zeros((count, 1), dtype=np.int8)
    rows = BookRows(list(ids), dates, market, market, market, market, market, status)
    folder = tmp_path_factory.mktemp("book")
    digest = write_book(folder, pa.table(columns, schema=CARD_SCHEMA), rows, FACTS)
    return PriceBook.open(folder, digest)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("charizard", ["charizard_ex_199", "dark_charizard_4"]),
        ("charzard", ["charizard_ex_199", "dark_charizard_4"]),
        ("chairzard ex", ["charizard_ex_199"]),
        ("char", ["charizard_ex_199", "charmander_4", "dark_charizard_4"]),
        ("pikachuu 025", ["pikachu_25_r", "pikachu_25"]),
        ("517045", ["charizard_ex_199"]),
        (f"{TCGPLAYER}/44/pokemon-pikachu?page=1", ["pikachu_25", "pikachu_25_r"]),
        (f"{CARDMARKET}/151/Charizard-ex", ["charizard_ex_199"]),
        ("リザードン", ["lizardon"]),
        ("nidoran ♀", ["nidoran_f_29"]),
        ("zzzzzz", []),
        ("", []),
        ("?!", []),
        ("https://[bad", []),
    ],
)
def test_suggestions(book: PriceBook, text: str, found: list[str]) -> None:
    positions = book.suggestions.find(text, 8)
    assert sorted(book.cards.slugs[at] for at in positions) == sorted(found)


def test_names_that_start_with_the_word_come_first_then_the_most_expensive(book: PriceBook) -> None:
    found = [book.cards.slugs[at] for at in book.suggestions.find("charizard", 8)]
    assert found == ["charizard_ex_199", "dark_charizard_4"]
    found = [book.cards.slugs[at] for at in book.suggestions.find("pikachu", 1)]
    assert found == ["pikachu_25_r"]


@pytest.mark.parametrize("limit", range(1, len(CARDS) + 1))
@pytest.mark.parametrize("text", ["1", "char", "pikachu", "151", "n"])
def test_a_limit_only_shortens_the_list(book: PriceBook, text: str, limit: int) -> None:
    everything = book.suggestions.find(text, len(CARDS)).tolist()
    assert book.suggestions.find(text, limit).tolist() == everything[:limit]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Charizard ex", (None, ["charizard", "ex"])),
        ("517045", ("517045", ["517045"])),
        ("https://www.tcgplayer.com/product/517045", ("517045", ["product", "517045"])),
        ("https://shop.example/cards/Dark%20Charizard/", (None, ["cards", "dark", "charizard"])),
        ("ftp://x/product/1/", (None, ["ftp", "x", "product", "1"])),
    ],
)
def test_an_address_is_searched_by_its_product_or_its_words(
    text: str, expected: tuple[str | None, list[str]]
) -> None:
    assert parse_search(text) == expected


def test_other_printings(book: PriceBook) -> None:
    position = book.cards.position("pikachu_25")
    assert [book.cards.slugs[at] for at in book.cards.printings(position)] == ["pikachu_25_r"]
    assert list(book.cards.printings(book.cards.position("charizard_ex_199"))) == []
