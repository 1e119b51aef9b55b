"""Lines whose product id is that of another card than they describe."""

import pytest

from pokewatch.collection.matching import Match, Matcher
from pokewatch.collection.worth import value_collection
from pokewatch.valuation.book import PriceBook
from tests.collection.books import hard_book
from tests.collection.test_exports import read

HEADER = "Product ID,Name,Set,Number,Printing,Language\n"
OTHER = "its product id is that of another card than its "


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return hard_book(tmp_path_factory.mktemp("hard"))


@pytest.fixture(scope="module")
def matcher(book: PriceBook) -> Matcher:
    return Matcher(book)


def match_of(matcher: Matcher, line: str) -> Match:
    return matcher.match(read(HEADER + line + "\n").lines[0])


@pytest.mark.parametrize(
    ("line", "what", "candidates"),
    [
        ("2,Charizard ex,151,199/165,Holofoil,", "number", ["1", "2"]),
        ("25,Umbreon VMAX,Evolving Skies,215/203,Holofoil,", "number", ["24", "25"]),
        ("25,,,215/203,Holofoil,", "number", ["25"]),
        ("32,Charizard,Base Set,4/102,Unlimited,", "number", ["8", "32"]),
        ("23,Pikachu,Base Set,,Unlimited,", "name and set", ["22", "23"]),
        ("27,Mr. Mime,Jungle,22/64,,", "number", ["26", "27"]),
        ("16,Arceus VSTAR (Staff),,SWSH247,Holofoil,", "version", ["15", "16"]),
    ],
)
def test_a_line_that_contradicts_its_product_id_is_not_matched(
    book: PriceBook, matcher: Matcher, line: str, what: str, candidates: list[str]
) -> None:
    match = match_of(matcher, line)
    assert (match.outcome, match.reason) == ("ambiguous", OTHER + what)
    assert [book.cards.ids[at].split("-")[1] for at in match.candidates] == candidates


@pytest.mark.parametrize(
    ("line", "product"),
    [
        ("1,Charizard ex,SV: Scarlet & Violet 151,199/165,Holofoil,English", "1"),
        ("1,Glurak ex,151,199,Holofoil,", "1"),  # its name in another language
        ("8,Charizard,A set by another name,4/102,,", "8"),
        ("8,Charizard,Base Set,2-Apr,,", "8"),  # 4/2, which a spreadsheet made a date
        ("15,Arceus VSTAR,Sword & Shield Promo Cards,SWSH247,Holofoil,", "15"),  # the stamped one
        ("4,Pikachu with Grey Felt Hat,Promos,SV-P 085,Holofoil,", "4"),
        ("24,Umbreon VMAX,Evolving Skies,,Holofoil,", "24"),  # several have the name
        ("8,,,,,", "8"),
        ("13,Charizard ex,151,201/165,Holofoil,Japanese", "13"),
    ],
)
def test_a_product_id_tells_the_card_that_a_line_describes_less_well(
    book: PriceBook, matcher: Matcher, line: str, product: str
) -> None:
    match = match_of(matcher, line)
    assert match.outcome == "matched", match
    assert book.cards.ids[match.position].split("-")[1] == product


@pytest.mark.parametrize(
    ("line", "reason", "product"),
    [
        ("8,Flying Pikachu V,Celebrations,6,Holofoil,", "name and number", "29"),
        ("8,Blastoise,,,,", "no card has this name", ""),
        ("8,Mewtwo,Base Set,10/102,Holofoil,", "no card has this name and number", ""),
    ],
)
def test_an_id_of_a_card_by_another_name_is_not_used(
    book: PriceBook, matcher: Matcher, line: str, reason: str, product: str
) -> None:
    match = match_of(matcher, line)
    assert match.reason == f"{reason}; its product id is that of another card"
    assert (match.outcome == "matched") == bool(product)
    assert book.cards.ids[match.position].split("-")[1] == product or not product


def test_lines_matched_in_spite_of_their_product_id_are_counted(
    book: PriceBook, matcher: Matcher
) -> None:
    text = "8,Flying Pikachu V,Celebrations,6,Holofoil,\n" * 2 + "8,Charizard,,4/102,,\n8,Mew,,,,\n"
    worth = value_collection(book, matcher, read(HEADER + text))
    assert worth["notes"][-1] == (
        "2 lines are matched by name, with a product id of another card (first line 2)"
    )


@pytest.mark.parametrize("language", ["Japanese", "German"])
def test_a_copy_in_another_language_than_the_product_is_not_matched(
    matcher: Matcher, language: str
) -> None:
    match = match_of(matcher, f"1,Charizard ex,151,199/165,Holofoil,{language}")
    assert match.outcome == "unmatched"
    assert match.reason == f"the market has no such card in {language}"
