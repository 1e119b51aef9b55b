from pathlib import Path

from pokewatch.collection.card_index import CardIndex
from tests.collection.books import book_of_ids, hard_book


def test_cards_are_found_by_what_lines_give(tmp_path: Path) -> None:
    book = hard_book(tmp_path, game="Pokemon Japan")
    index, at = CardIndex(book), book.cards.ids.index
    assert index.by_product["3"] == [at("tcgplayer-3-normal"), at("tcgplayer-3-reverse-holofoil")]
    assert at("tcgplayer-24-holofoil") in index.by_base["umbreon vmax"]
    assert at("tcgplayer-4-holofoil") in index.by_digits["85"]
    assert index.products["booster bundle"] == [at("tcgplayer-10-normal")]
    assert index.set_names["mew"] == "SV: Scarlet & Violet 151"
    assert index.games == {"pokemon"}
    assert len(index.cards) == len(book.cards)


def test_a_product_is_that_of_the_source_whatever_the_id_of_the_card(tmp_path: Path) -> None:
    ids = {
        "base-4-holofoil": None,
        "my-card": '{"file": "my-card", "tcgplayer": "246723"}',
        "sv-151-holo": '{"tcgplayer": 517001, "pokemon_price_tracker": "7"}',
        "tcgplayer-55": None,
        "tcgplayer-56-normal": '{"file": "tcgplayer-56-normal"}',
    }
    index = CardIndex(book_of_ids(tmp_path, ids))
    assert index.by_product == {"246723": [1], "517001": [2], "55": [3], "56": [4]}
