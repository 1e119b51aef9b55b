"""Other files than those that the apps export today: languages, flags, old columns, own lists."""

from pathlib import Path

import pytest

from pokewatch.collection.matching import Matcher
from pokewatch.valuation.book import PriceBook
from tests.collection.books import collection_book, hard_book
from tests.collection.hard_formats import HEADERS
from tests.collection.test_exports import read

PIKACHU, REVERSE = "tcgplayer-3-normal", "tcgplayer-3-reverse-holofoil"
CHARIZARD, JAPANESE = "tcgplayer-1-holofoil", "tcgplayer-13-holofoil"
RAICHU_1ST, RAICHU = "tcgplayer-17-1st-edition", "tcgplayer-17-unlimited"
NONE = ""  # of no card, or of several

# header, then lines with the card that each is
FILES: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "German": (
        "Kartenname;Erweiterung;Nummer;Anzahl;Zustand;Sprache;Foil",
        [
            ("Pikachu;151;25/165;2;NM;Englisch;Nein", PIKACHU),
            ("Pikachu;151;25/165;1;LP;Englisch;Ja", REVERSE),
            ("Charizard ex;151;199/165;1x;Leicht gespielt;Japanisch;", NONE),
        ],
    ),
    "French": (
        "Nom;Extension;Numéro;Quantité;État;Langue",
        [("Pikachu with Grey Felt Hat;SVP;085;1;Near Mint;Anglais", "tcgplayer-4-holofoil")],
    ),
    "Spanish": (
        "Nombre,Expansión,Número,Cantidad,Estado,Idioma",
        [("Charizard ex,151,199,3,NM,Inglés", CHARIZARD)],
    ),
    "Japanese": (
        "カード名,セット,番号,枚数,言語",
        [("Charizard ex,Pokemon Card 151,201/165,2,日本語", JAPANESE)],
    ),
    "columns of yes and no": (
        "Card,Set,No.,Holo,Reverse Holo,1st Edition,Qty",
        [
            ("Pikachu,151,25,,x,,1", REVERSE),
            ("Pikachu,151,25,,,,2", PIKACHU),
            ("Charizard ex,151,199,yes,no,,1", CHARIZARD),
            ("Dark Raichu,Team Rocket,83,TRUE,FALSE,TRUE,1", RAICHU_1ST),
            ("Dark Raichu,Team Rocket,83,1,0,0,1", NONE),
        ],
    ),
    "Helvault": (
        "collector_number,extras,language,name,quantity,set_code,set_name",
        [
            ("25,foil,en,Pikachu,1,mew,151", REVERSE),
            ("25,,en,Pikachu,2,mew,151", PIKACHU),
            ("199,foil,en,Charizard ex,1,mew,151", CHARIZARD),
        ],
    ),
    "TopDecked": (
        "QUANTITY,NAME,SETCODE,SETNAME,NUMBER,FOIL",
        [("4,Charizard ex,,151,199,1", CHARIZARD), ("1,Pikachu,MEW,151,25,0", PIKACHU)],
    ),
    "a print run beside the set": (
        "Qty,Name,Number,Edition,Set",
        [
            ("1,Dark Raichu,83/82,1st Edition,Team Rocket", RAICHU_1ST),
            ("1,Dark Raichu,83/82,Unlimited,Team Rocket", RAICHU),
            ("1,Charizard,4/102,1st Edition,Base Set", NONE),
        ],
    ),
    "foil in many words": (
        "Name,Set,Number,Foil",
        [
            ("Pikachu,151,25,normal", PIKACHU),
            ("Pikachu,151,25,", PIKACHU),
            ("Pikachu,151,25,foil", REVERSE),
            ("Pikachu,151,25,etched", NONE),
            ("Charizard ex,151,199,true", CHARIZARD),
            ("Pikachu,151,25,1", REVERSE),
            ("Pikachu,151,25,0", PIKACHU),
            ("Dark Raichu,Team Rocket,83,foil", NONE),
        ],
    ),
    "printing in the condition": (
        "Name,Set,Number,Condition",
        [
            ("Pikachu,151,25/165,Near Mint Reverse Holofoil", REVERSE),
            ("Pikachu,151,25/165,Lightly Played", NONE),
            ("Charizard ex,151,199/165,Near Mint Holofoil - Japanese", NONE),
            ("Charizard ex,151,199/165,Near Mint (NM)", CHARIZARD),
        ],
    ),
    "names only": (
        "Qty,Name",
        [
            ("1,Charizard ex 199/165", CHARIZARD),
            ("1,Charizard ex - 199/165", CHARIZARD),
            ("1,Pikachu - 025/165", NONE),
            ("1,Charizard", NONE),
            ("1,Eevee (Reverse Holo)", "tcgplayer-34-reverse-holofoil"),
            ("1,Umbreon VMAX", NONE),
        ],
    ),
    "numbers in many forms": (
        "Name,Set,Number",
        [
            ('Charizard ex,151,"=""199/165"""', CHARIZARD),
            ("Charizard ex,151,#199", CHARIZARD),
            ("Charizard ex,151,199 / 165", CHARIZARD),
            ("Charizard ex,151,199 of 165", CHARIZARD),
            ("Charizard ex,151,No. 199", CHARIZARD),
            ("Charizard ex,151,0199", CHARIZARD),
            ("Charizard ex,151,199/166", NONE),
        ],
    ),
    "sets in many forms": (
        "Name,Set,Number",
        [
            ("Umbreon VMAX,SWSH07,215", "tcgplayer-24-holofoil"),
            ("Umbreon VMAX,evs,215", "tcgplayer-24-holofoil"),
            ("Umbreon VMAX,Sword and Shield - Evolving Skies,215", "tcgplayer-24-holofoil"),
            ("Charizard,Pokemon Game,4", "tcgplayer-8-unlimited-holofoil"),
            ("Charizard,Celebrations: Classic Collection,4/102", NONE),
            ("Pikachu,Base Set 2,58/102", NONE),
            ("Charizard,Base Set Unlimited,4/102", "tcgplayer-8-unlimited-holofoil"),
        ],
    ),
    "ids of another source": (
        "Name,Set,Number,Product ID",
        [
            ("Pikachu,Base Set,58/102,1", "tcgplayer-22-normal"),
            (",,,1", CHARIZARD),
            ("Glurak ex,,199/165,1", CHARIZARD),
            ("Mewtwo,Jungle,10,1", NONE),
        ],
    ),
    "Card Ladder": (
        HEADERS["Card Ladder"],
        [
            (
                "1/2/2024,1,x,Charizard ex,2023,151,Special Illustration Rare,199,Pokemon,PSA 10,"
                "1,1,1,,,",
                CHARIZARD,
            ),
            (
                "1/2/2024,1,x,Charizard-Holo,1999,Pokemon Game,,4,Pokemon,Raw,1,1,1,,,",
                "tcgplayer-8-unlimited-holofoil",
            ),
            ("1/2/2024,1,x,Mike Trout,2011,Topps,,US175,Baseball,PSA 9,1,1,,,,", NONE),
        ],
    ),
    "PriceCharting": (
        HEADERS["PriceCharting"],
        [
            ("1,Pikachu #25,Pokemon Scarlet & Violet 151,30,,Ungraded,,,,1,,,,,", PIKACHU),
            ("1,Pikachu [Reverse Holo] #25,Pokemon Scarlet & Violet 151,3,,,,,,1,,,,,", REVERSE),
            ("1,Charizard ex #201,Pokemon Japanese Scarlet & Violet 151,3,,,,,,1,,,,,", JAPANESE),
            ("1,Charizard ex #201,Pokemon Scarlet & Violet 151,3,,,,,,1,,,,,", NONE),
            ("1,Super Mario Bros,NES,30,cib,,,,,1,,,,,", NONE),
            (
                "1,Arceus VSTAR [Staff] #SWSH247,Pokemon Promo,3,,,,,,1,,,,,",
                "tcgplayer-15-holofoil",
            ),
        ],
    ),
}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return hard_book(tmp_path_factory.mktemp("hard"))


@pytest.mark.parametrize("name", FILES)
def test_other_files_are_matched(book: PriceBook, name: str) -> None:
    header, rows = FILES[name]
    found = read("\n".join([header, *(row for row, _ in rows)]))
    matches = Matcher(book).match_all(found.lines)
    got = [book.cards.ids[each.position] if each.position >= 0 else NONE for each in matches]
    assert got == [card for _, card in rows], matches


def test_the_cards_of_another_game_are_not_those_of_the_market(tmp_path: Path) -> None:
    """Also where name, set and number are the same."""
    header = HEADERS["Collectr"]
    line = "Main,{},151,Pikachu,25/165,C,Normal,Ungraded,,1,1,1,0,false,,"
    games = ("Magic: The Gathering", "Yu-Gi-Oh!", "Pokémon", "Pokemon", "")
    book = hard_book(tmp_path, game="Pokemon")
    found = read("\n".join([header, *(line.format(game) for game in games)]))
    matches = Matcher(book).match_all(found.lines)
    assert [match.outcome for match in matches] == [*["unmatched"] * 2, *["matched"] * 3]
    assert "no cards of Magic" in matches[0].reason


@pytest.mark.parametrize(
    ("condition", "grade"),
    [
        ("PSA 10", "PSA 10"),
        ("CGC 9.5 Mint+", "CGC 9.5 Mint+"),
        ("Grade 9", "Grade 9"),
        ("Graded 8.5", "Graded 8.5"),
        ("Raw", ""),
        ("Ungraded", ""),
    ],
)
def test_a_grade_in_the_condition_is_one(condition: str, grade: str) -> None:
    (line,) = read(f"name,condition\nPikachu,{condition}\n").lines
    assert (line.grade, line.condition) == (grade, "NM")


def test_grader_and_grade_in_two_columns() -> None:
    first, second = read("name,grader,grade\nPikachu,PSA,9\nPikachu,,\n").lines
    assert (first.grade, second.grade) == ("PSA 9", "")


@pytest.mark.parametrize(("quantity", "copies"), [("x2", 2), ("3x", 3), ("4 x", 4), ("5,0", 5)])
def test_quantities_as_people_write_them(quantity: str, copies: int) -> None:
    (line,) = read(f'name,quantity\nPikachu,"{quantity}"\n').lines
    assert line.quantity == copies


def test_an_unknown_card_id_has_similar_ones(tmp_path: Path) -> None:
    book = collection_book(tmp_path)
    (line,) = read("card_id,quantity\ncharizard_b3,1\n").lines
    match = Matcher(book).match(line)
    assert match.outcome == "unmatched"
    assert "charizard_b2" in [book.cards.slugs[at] for at in match.candidates]
