"""Lists of names and ids, and decks as games and apps copy them."""

from pathlib import Path

import numpy as np
import pytest

from pokewatch.collection.deck_lists import fields_of, is_heading
from pokewatch.collection.matching import Matcher
from pokewatch.collection.reading_notes import NO_COPIES
from pokewatch.market.tabular.sheet import TableError
from tests.collection.books import hard_book
from tests.collection.test_exports import read

LIVE = """Pok\u00e9mon: 4
4 Charizard ex MEW 6
2 Pikachu MEW 25 PH
1 Umbreon VMAX EVS 215

Trainer: 2
2 Energy Retrieval SVI 171

Energy: 7
7 Basic Fire Energy SVE 2

Total Cards: 16
"""


def test_a_deck_of_the_game_is_matched_by_set_and_number(tmp_path: Path) -> None:
    book = hard_book(tmp_path)
    found = read(LIVE)
    outcomes = Matcher(book).match_all(found.lines)
    matched = [match.position for match in outcomes if match.outcome == "matched"]
    cards = book.cards.describe(np.array(matched))
    assert [card["card_id"] for card in cards] == [
        "tcgplayer-2-holofoil",
        "tcgplayer-3-reverse-holofoil",
        "tcgplayer-24-holofoil",
    ]
    # Of two printings, the line says none; and the market has no basic energy.
    assert [match.outcome for match in outcomes[3:]] == ["ambiguous", "unmatched"]
    assert [line.quantity for line in found.lines] == [4, 2, 1, 2, 7]
    assert NO_COPIES not in found.notes
    assert [(each.line, each.reason) for each in found.refused] == [
        (1, "it is a heading, not a card"),
        (6, "it is a heading, not a card"),
        (9, "it is a heading, not a card"),
        (12, "it is a total, not a card"),
    ]


@pytest.mark.parametrize("first", ["#created by Player\n", ""])
def test_the_passcodes_of_a_deck_are_no_ids_of_products(first: str) -> None:
    with pytest.raises(TableError, match=r"a \.ydk deck, whose lines are passcodes"):
        read(f"{first}#main\n89631139\n517001\n#extra\n!side\n")


def test_a_deck_may_have_names_with_commas() -> None:
    found = read("Deck\n4 Sol Ring (C21) 263\n2 Jace, the Mind Sculptor (WWK) 31\n1x Opt\n")
    assert [(line.name, line.quantity, line.set_code, line.number) for line in found.lines] == [
        ("Sol Ring", 4, "C21", "263"),
        ("Jace, the Mind Sculptor", 2, "WWK", "31"),
        ("Opt", 1, "", ""),
    ]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (
            "* 4 Pikachu SM 10",
            {"quantity": "4", "name": "Pikachu", "set_code": "SM", "number": "10"},
        ),
        ("1 Sol Ring (C21) 263 *F*", {"set_code": "C21", "number": "263", "printing": "Foil"}),
        ("1x Sol Ring (C21)", {"quantity": "1", "name": "Sol Ring (C21)"}),
        ("151 Booster Bundle (MEW)", {"name": "151 Booster Bundle (MEW)", "card_id": ""}),
        ("2 Arceus VSTAR PR-SW SWSH247", {"set_code": "PR-SW", "number": "SWSH247"}),
        ("4x Pikachu", {"quantity": "4", "name": "Pikachu"}),
        ("12\u00d7 Pikachu", {"quantity": "12", "name": "Pikachu"}),
        ("246723", {"name": "", "product_id": "246723"}),
        ("charizard_b2", {"name": "charizard_b2", "card_id": "charizard_b2"}),
        ("151 Booster Bundle", {"name": "151 Booster Bundle", "card_id": ""}),
        ("Umbreon VMAX 215/203", {"name": "Umbreon VMAX 215/203", "card_id": ""}),
        ("Pikachu (Jumbo)", {"name": "Pikachu (Jumbo)", "card_id": ""}),
    ],
)
def test_the_fields_of_a_line(text: str, fields: dict[str, str]) -> None:
    assert fields_of(text).items() >= fields.items()


@pytest.mark.parametrize(
    "text",
    [
        *("Pok\u00e9mon: 12", "##Pok\u00e9mon - 12", "Trainer Cards (30)", "Deck", "Sideboard:"),
        "****** Pok\u00e9mon Trading Card Game Deck List ******",
    ],
)
def test_headings(text: str) -> None:
    assert is_heading(text)


@pytest.mark.parametrize("text", ["Energy Retrieval", "Trainer Gallery 3", "Pok\u00e9mon Center"])
def test_names_that_begin_like_a_heading(text: str) -> None:
    assert not is_heading(text)


@pytest.mark.parametrize("unit", ["A 1 ", "AB 1a ", "(A) 1 ", "( ", "0", " ", "AB 1 PH "])
def test_a_line_takes_time_in_proportion_to_its_length(unit: str) -> None:
    """Half a million characters are read at once, which a cell never has."""
    for start in ("4 ", "* 4x ", "##deck "):
        text = start + unit * (500_000 // len(unit)) + "-"
        assert not is_heading(text)
        assert fields_of(text)
