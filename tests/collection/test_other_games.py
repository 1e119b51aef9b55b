"""Names, numbers and printings of other games than Pokemon, as TCGplayer has them."""

import pytest

from pokewatch.valuation.book import PriceBook
from tests.collection.books import book_of_cards
from tests.collection.matches import match_of

CARDS = [
    ("delver", "Delver of Secrets // Insectile Aberration", "Innistrad", "51", "Normal"),
    ("borrower", "Brazen Borrower", "Throne of Eldraine", "39", "Normal"),
    ("showcase", "Brazen Borrower // Petty Theft (Showcase)", "Throne of Eldraine", "281", "Foil"),
    ("soldier", "Goblin // Soldier Token", "Modern Horizons 2", "11", "Normal"),
    ("zombie", "Goblin // Zombie Token", "Modern Horizons 2", "12", "Normal"),
    ("zombie-12", "Elf // Zombie Token", "Modern Horizons 2", "12", "Normal"),
    ("bolt", "Lightning Bolt", "Secret Lair Drop Series", "83", "Foil"),
    ("lotus", "Black Lotus", "Unlimited Edition", None, "Normal"),
    ("beta", "Black Lotus", "Beta Edition", None, "Normal"),
    ("hymn-a", "Hymn to Tourach (A)", "Fallen Empires", None, "Normal"),
    ("hymn-b", "Hymn to Tourach (B)", "Fallen Empires", None, "Normal"),
]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return book_of_cards(tmp_path_factory.mktemp("magic"), CARDS, "Magic")


@pytest.mark.parametrize(
    ("line", "card"),
    [
        ("Delver of Secrets,Innistrad,51,Normal", "delver"),
        ("Delver of Secrets // Insectile Aberration,Innistrad,51,Normal", "delver"),
        ("Delver of Secrets / Insectile Aberration,Innistrad,51,Normal", "delver"),
        ("Brazen Borrower // Petty Theft,Throne of Eldraine,39,Normal", "borrower"),
        ("Brazen Borrower,Throne of Eldraine,281,Foil", "showcase"),
        ("Lightning Bolt,Secret Lair Drop Series,83,", "bolt"),
        ("Black Lotus,Unlimited Edition,233,Normal", "lotus"),
        ("Black Lotus,Unlimited Edition,,Normal", "lotus"),
        ("Hymn to Tourach (A),Fallen Empires,38a,Normal", "hymn-a"),
    ],
)
def test_faces_and_cards_without_numbers(book: PriceBook, line: str, card: str) -> None:
    match = match_of(book, line)
    assert match.outcome == "matched", match
    assert book.cards.ids[match.position] == card


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("Goblin // Zombie Token,Modern Horizons 2,11,Normal", "unmatched"),
        ("Zombie Token,Modern Horizons 2,12,Normal", "unmatched"),
        ("Insectile Aberration,Innistrad,51,Normal", "unmatched"),
        ("Delver of Secrets // Insectile Aberration,Innistrad,52,Normal", "unmatched"),
        ("Lightning Bolt,Secret Lair Drop Series,83,Normal", "ambiguous"),
        ("Black Lotus,Alpha Edition,232,Normal", "unmatched"),
        ("Black Lotus,,233,Normal", "unmatched"),
        ("Hymn to Tourach,Fallen Empires,38a,Normal", "ambiguous"),
    ],
)
def test_no_other_card_is_taken(book: PriceBook, line: str, outcome: str) -> None:
    assert match_of(book, line).outcome == outcome
