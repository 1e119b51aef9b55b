"""Names, sets and numbers as people write them, for those of a catalogue."""

from pathlib import Path

import pytest

from pokewatch.valuation.book import PriceBook
from tests.collection.books import book_of_cards
from tests.collection.matches import match_of

# card_id, name, set, number, printing
CARDS = [
    ("delta", "Charizard (Delta Species)", "EX Crystal Guardians", "4/100", "Holofoil"),
    ("firered", "Charizard ex", "EX FireRed & LeafGreen", "105/112", "Holofoil"),
    ("giratina", "Giratina V", "SWSH11: Lost Origin", "130/196", "Holofoil"),
    ("full", "Giratina V (Full Art)", "SWSH11: Lost Origin", "185/196", "Holofoil"),
    ("alternate", "Giratina V (Alternate Full Art)", "SWSH11: Lost Origin", "186/196", "Holofoil"),
    ("secret", "Pikachu VMAX (Secret)", "SWSH04: Vivid Voltage", "188/185", "Holofoil"),
    ("level", "Garchomp C LV.X", "Supreme Victors", "145/147", "Holofoil"),
    ("star", "Rayquaza (Gold Star)", "EX Deoxys", "107/107", "Holofoil"),
    ("box", "151 Elite Trainer Box", "SV: Scarlet & Violet 151", None, "Normal"),
    ("center", "151 Pokemon Center Elite Trainer Box", "SV: Scarlet & Violet 151", None, "Normal"),
    ("charizard", "Charizard ex - 199/165", "SV: Scarlet & Violet 151", "199/165", "Holofoil"),
    ("pikachu", "Pikachu - 025/165", "SV: Scarlet & Violet 151", "025/165", "Normal"),
    ("reverse", "Pikachu - 025/165", "SV: Scarlet & Violet 151", "025/165", "Reverse Holofoil"),
    ("sun", "Umbreon GX (Full Art)", "SM Base Set", "142/149", "Holofoil"),
    ("eevee", "Eevee", "Jungle", "51/64", "Reverse Holofoil"),
]
RARITIES = {
    "charizard": "Special Illustration Rare",
    "pikachu": "Common",
    "reverse": "Common",
    "eevee": "Holo Rare",
}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return book_of_cards(tmp_path_factory.mktemp("book"), CARDS, rarities=RARITIES)


@pytest.mark.parametrize(
    ("line", "card"),
    [
        ("Charizard Delta Species,Crystal Guardians,4/100,Holofoil", "delta"),
        ("Charizard Delta Species,Crystal Guardians,,", "delta"),
        ("Charizard ex,EX Fire Red Leaf Green,105/112,Holofoil", "firered"),
        ("Charizard ex,Fire Red & Leaf Green,105,", "firered"),
        ("Giratina V Alt Art,Lost Origin,186/196,", "alternate"),
        ("Giratina V - Alternate Art,Lost Origin,,", "alternate"),
        ("Giratina V Full Art,Lost Origin,185,", "full"),
        ("Giratina V Full Art,Lost Origin,130,", ""),  # the number of another version
        ("Pikachu VMAX Rainbow Rare,Vivid Voltage,188/185,", "secret"),
        ("Pikachu VMAX Secret Rare,Vivid Voltage,188,", "secret"),
        ("Garchomp C Level X,Supreme Victors,145/147,Holofoil", "level"),
        ("Rayquaza Gold Star,Deoxys,107/107,", "star"),
        ("151 ETB,151,,", "box"),
        ("ETB,151,,", "box"),
        ("Elite Trainer Box (ETB),151,,", "box"),
        ("Pokemon Center ETB,151,,", "center"),
        ("Charizard ex,151,199-165,Holofoil", "charizard"),
        ("Charizard ex,151,199-102,Holofoil", ""),
        ("Charizard ex SIR,151,199,", "charizard"),
        ("Charizard ex,151,199/165,Special Illustration Rare", "charizard"),
        ("Charizard ex,151,199/165,Common", ""),
        ("Pikachu,151,25/165,Common", ""),  # of two printings
        ("Eevee,Jungle,51/64,Holo Rare", ""),  # no reverse holofoil
        ("Umbreon GX,Sun & Moon,142/149,", "sun"),
        ("Umbreon GX,Base Set,142/149,", ""),
    ],
)
def test_a_line_is_matched_however_it_is_spelt(book: PriceBook, line: str, card: str) -> None:
    match = match_of(book, line)
    found = book.cards.ids[match.position] if match.outcome == "matched" else ""
    assert found == card, match


def test_a_number_with_a_dash_is_that_of_a_game_that_has_such_numbers(tmp_path: Path) -> None:
    cards = [
        ("dash", "Cloud", "Opus 1", "1-182", "Normal"),
        ("slash", "Cloud", "Opus 2", "1/182", "Normal"),
    ]
    book = book_of_cards(tmp_path, cards)
    assert book.cards.ids[match_of(book, "Cloud,,1-182,Normal").position] == "dash"
