"""Versions of a card that are other products, such as staff copies and patterns."""

import pytest

from pokewatch.valuation.book import PriceBook
from tests.collection.books import book_of_cards
from tests.collection.matches import match_of

PROMOS, PRISMATIC = "SWSH: Sword & Shield Promo Cards", "SV: Prismatic Evolutions"
CARDS = [
    ("staff", "Pikachu - SWSH020 (Prerelease) [Staff]", PROMOS, "SWSH020", "Holofoil"),
    ("frosmoth", "Frosmoth - SWSH007 (Prerelease)", PROMOS, "SWSH007", "Holofoil"),
    ("mewtwo", "Mewtwo", PROMOS, "SWSH021", "Holofoil"),
    ("poke", "Snorlax (Poke Ball Pattern)", PRISMATIC, "76/131", "Holofoil"),
    ("master", "Snorlax (Master Ball Pattern)", PRISMATIC, "76/131", "Holofoil"),
    ("snorlax", "Snorlax", PRISMATIC, "76/131", "Normal"),
    ("alone", "Eevee (Poke Ball Pattern)", PRISMATIC, "74/131", "Holofoil"),
    ("named", "Mew", PRISMATIC, "77/131", "Poke Ball Holo"),
    ("jumbo", "Eevee (Jumbo)", "Jumbo Cards", "5", "Holofoil"),
    ("item", "Master Ball", PRISMATIC, "78/131", "Normal"),
    ("elves", "Llanowar Elves", "Dominaria", "168", "Normal"),
]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return book_of_cards(tmp_path_factory.mktemp("book"), CARDS)


@pytest.mark.parametrize(
    ("line", "card"),
    [
        ("Pikachu [Staff],SWSH Black Star Promos,SWSH020,Holofoil", "staff"),
        ("Frosmoth,SWSH Black Star Promos,SWSH007,Holofoil", "frosmoth"),
        ("Mewtwo (Promo),SWSH Black Star Promos,SWSH021,Holofoil", "mewtwo"),
        ("Mewtwo,SWSH Black Star Promos,SWSH021,Promo", "mewtwo"),
        ("Snorlax,Prismatic Evolutions,76,Poke Ball", "poke"),
        ("Snorlax,Prismatic Evolutions,76,Poke Ball Holo", "poke"),
        ("Snorlax,Prismatic Evolutions,76,Master Ball Reverse Holo", "master"),
        ("Snorlax,Prismatic Evolutions,76,Masterball Pattern", "master"),
        ("Snorlax,Prismatic Evolutions,76,Normal", "snorlax"),
        ("Mew,Prismatic Evolutions,77,Poke Ball Holo", "named"),
        ("Eevee,Jumbo Cards,5,Holofoil", "jumbo"),
        ("Master Ball,Prismatic Evolutions,78,Normal", "item"),
    ],
)
def test_a_version_is_found_by_its_name_or_its_printing(
    book: PriceBook, line: str, card: str
) -> None:
    match = match_of(book, line)
    assert match.outcome == "matched", match
    assert book.cards.ids[match.position] == card


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "Pikachu (Prerelease),SWSH Black Star Promos,SWSH020,Holofoil",
            "the market has only its version 'staff'",
        ),
        (
            "Pikachu,SWSH Black Star Promos,SWSH020,Holofoil",
            "the market has only its version 'prerelease staff'",
        ),
        ("Eevee,Prismatic Evolutions,74,Normal", "the market has only its version 'ball poke'"),
        ("Mewtwo,SWSH Black Star Promos,SWSH021,Staff", "the card has no version 'staff'"),
        ("Mewtwo,SWSH Black Star Promos,SWSH021,Cosmos Holo", "the card has no version 'cosmos'"),
        ("Snorlax (Oversize),Prismatic Evolutions,76,", "the card has no version 'oversize'"),
        ("Llanowar Elves (Promo Pack),Dominaria,168,", "the card has no version 'promo'"),
    ],
)
def test_a_copy_is_not_that_of_another_version(book: PriceBook, line: str, reason: str) -> None:
    match = match_of(book, line)
    assert (match.outcome, match.reason) == ("unmatched", reason)


@pytest.mark.parametrize(
    "line",
    ["Snorlax (Full Art),Prismatic Evolutions,76,Normal", "Snorlax,Prismatic Evolutions,,Normal"],
)
def test_a_line_without_a_stamp_may_be_any_of_several(book: PriceBook, line: str) -> None:
    match = match_of(book, line)
    assert match.outcome == "ambiguous"
    assert {book.cards.ids[at] for at in match.candidates} == {"snorlax", "poke", "master"}
