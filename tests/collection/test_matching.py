from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pokewatch.collection.exports import CollectionLine
from pokewatch.collection.matching import MAX_SEARCHES, Matcher
from pokewatch.valuation.book import PriceBook
from tests.collection.books import book_of_cards, collection_book, hard_book
from tests.collection.exports_by_app import EXPORTS
from tests.collection.hard_formats import WRITERS, file_of, lines_of
from tests.collection.test_exports import read


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return collection_book(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="module")
def matcher(book: PriceBook) -> Matcher:
    return Matcher(book)


@pytest.mark.parametrize("app", EXPORTS)
def test_the_lines_of_each_app_are_matched(book: PriceBook, matcher: Matcher, app: str) -> None:
    found = [matcher.match(line) for line in read(EXPORTS[app]).lines]
    assert [match.outcome for match in found] == ["matched", "matched"], found
    assert [book.cards.slugs[match.position] for match in found] == [
        "charizard_4",
        "umbreon_vmax_215",
    ]


@pytest.mark.parametrize(
    "number", ["25-Apr", "Apr 25", "25. Apr", "2026-04-25", "2026-04-25 00:00:00", "4/25/2026"]
)
def test_a_number_that_a_spreadsheet_made_a_date_of_is_named(matcher: Matcher, number: str) -> None:
    (line,) = read(f"name,set,number\nCharizard,Base Set,{number}\n").lines
    match = matcher.match(line)
    assert (match.outcome, match.reason) == (
        "unmatched",
        f"its number {number!r} is a date, which spreadsheets make of a number such as 4/25: "
        "write it as text",
    )


@pytest.mark.parametrize("number", ["SWSH039", "TG05/TG30", "SV-P 012", "12", "1999"])
def test_a_number_is_no_date(matcher: Matcher, number: str) -> None:
    (line,) = read(f"name,set,number\nCharizard,Base Set,{number}\n").lines
    assert matcher.match(line).reason in (
        "no card has this name and number",
        f"no such card is numbered {number}",
    )


CASES: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"name": "Charizard", "number": "4", "set_name": "Base Set 2"}, "matched", ["charizard_b2"]),
    ({"name": "Charizard", "number": "4/130"}, "matched", ["charizard_b2"]),
    (
        {"name": "Charizard", "number": "4"},
        "ambiguous",
        ["charizard_4", "charizard_4_1st", "charizard_b2"],
    ),
    ({"name": "Charizard", "number": "4", "set_name": "Jungle"}, "unmatched", ["charizard_4"]),
    (
        {"name": "Charizard", "number": "4", "set_name": "Base Set (Shadowless)"},
        "matched",
        ["charizard_4_1st"],
    ),
    ({"product_id": "42382", "printing": "Holofoil"}, "matched", ["charizard_4"]),
    ({"product_id": "42382"}, "ambiguous", ["charizard_4", "charizard_4_1st"]),
    ({"product_id": "42382", "printing": "Cracked Ice"}, "ambiguous", ["charizard_4"]),
    ({"product_id": "7"}, "unmatched", []),
    ({"card_id": "charizard_b2"}, "matched", ["charizard_b2"]),
    ({"name": "Umbreon VMAX", "number": "95/203"}, "matched", ["umbreon_vmax_95"]),
    ({"name": "Umbreon VMAX", "number": "214/203"}, "matched", ["umbreon_vmax_214"]),
    (
        {"name": "Umbreon VMAX", "set_name": "Evolving Skies"},
        "ambiguous",
        ["umbreon_vmax_95", "umbreon_vmax_214", "umbreon_vmax_215"],
    ),
    (
        {"name": "Umbreon VMAX (Secret)", "set_name": "Evolving Skies"},
        "matched",
        ["umbreon_vmax_214"],
    ),
    ({"name": "Pikachu", "number": "25", "printing": "Normal"}, "matched", ["pikachu_25"]),
    (
        {"name": "Pikachu", "number": "025/165", "set_name": "151", "printing": "Reverse"},
        "matched",
        ["pikachu_25_r"],
    ),
    ({"name": "Pikachu", "number": "25/165"}, "ambiguous", ["pikachu_25", "pikachu_25_r"]),
    (
        {"name": "Pikachu", "number": "25/165", "language": "Japanese", "printing": "Normal"},
        "unmatched",
        ["pikachu_25"],
    ),
    (
        {"name": "Pikachoo", "number": "25", "set_name": "151", "printing": "Normal"},
        "matched",
        ["pikachu_25"],
    ),
    ({"name": "Pikachoo", "number": "25"}, "unmatched", ["pikachu_25"]),
    ({"name": "Farfetchd", "number": "83"}, "matched", ["farfetchd_83"]),
    ({"name": "Farfetch\u2019d", "set_name": "Scarlet & Violet 151"}, "matched", ["farfetchd_83"]),
    ({"name": "Evolving Skies Booster Box", "set_name": "Evolving Skies"}, "matched", ["box"]),
    (
        {"name": "Professor's Research (Professor Elm)", "number": "123/131"},
        "matched",
        ["research_elm"],
    ),
    (
        {"name": "Professor's Research [Professor Elm]", "number": "123/131"},
        "matched",
        ["research_elm"],
    ),
    (
        {"name": "Professor's Research", "number": "123", "printing": "Normal"},
        "matched",
        ["research_elm"],
    ),
    (
        {"name": "Professor's Research (Professor Elm)", "number": "123/131", "printing": "Foil"},
        "ambiguous",
        ["research_elm"],
    ),
    ({"name": "Professor's Research [Professor Oak]"}, "unmatched", ["research_elm"]),
    (
        {"name": "Umbreon VMAX (Alt Art)", "set_name": "Evolving Skies", "number": "95/203"},
        "ambiguous",
        ["umbreon_vmax_95", "umbreon_vmax_215"],
    ),
    (
        {"name": "Umbreon VMAX (Alt Art)", "set_name": "Evolving Skies"},
        "matched",
        ["umbreon_vmax_215"],
    ),
    # Two versions have the number; the foil one is not that of which the line is.
    (
        {"name": "Professor's Research (Full Art)", "number": "123/131", "printing": "Holofoil"},
        "ambiguous",
        ["research_elm", "research_elm_pattern"],
    ),
    (
        {"name": "Professor's Research (Master Ball)", "number": "123/131"},
        "unmatched",
        ["research_elm", "research_elm_pattern"],
    ),
    *(
        (
            {"name": f"Professor's Research ({pattern})", "number": "123/131"},
            "matched",
            ["research_elm_pattern"],
        )
        for pattern in ("Poke Ball", "Pok\u00e9ball", "pokeball pattern")
    ),
    (
        {"name": "Pikachu (Masterball)", "number": "25/165", "printing": "Reverse Holofoil"},
        "unmatched",
        ["pikachu_25", "pikachu_25_r"],
    ),
    ({"name": "Mewtwo", "number": "10/102"}, "unmatched", []),
    ({"name": "\u202e"}, "unmatched", []),
]


@pytest.mark.parametrize(("given", "outcome", "slugs"), CASES, ids=[str(case[0]) for case in CASES])
def test_outcomes(
    book: PriceBook, matcher: Matcher, given: dict[str, Any], outcome: str, slugs: list[str]
) -> None:
    values: dict[str, Any] = {"line": 2, "name": "", "quantity": 1, **given}
    line = CollectionLine(**values)
    match = matcher.match(line)
    named = [match.position] if match.outcome == "matched" else match.candidates
    found = [book.cards.slugs[at] for at in named]
    assert match.outcome == outcome, match
    assert set(slugs) <= set(found), match
    assert match.outcome != "matched" or found == slugs


def test_no_line_is_matched_to_a_card_of_another_number(book: PriceBook, matcher: Matcher) -> None:
    """Whatever the name and the set, a number that is given has to be that of the card."""
    for name in ("Charizard", "Umbreon VMAX", "Pikachu", "Farfetch'd"):
        for number in ("1", "4/999", "95", "214", "25/203", "TG01"):
            for set_name in ("", "Base Set", "Evolving Skies", "151"):
                line = CollectionLine(
                    2, name, 1, set_name=set_name, number=number, printing="Holofoil"
                )
                match = matcher.match(line)
                if match.outcome == "matched":
                    card = book.cards.describe(np.array([match.position]))[0]
                    assert card["number"].lstrip("0").startswith(number.partition("/")[0])


def test_matching_ten_thousand_lines_of_a_file(book: PriceBook, matcher: Matcher) -> None:
    text = "name,set,number,printing,quantity\n" + "Pikachu,151,25/165,Normal,1\n" * 10_000
    found = [matcher.match(line) for line in read(text).lines]
    assert {match.outcome for match in found} == {"matched"}


def test_a_book_of_its_own(tmp_path: Path) -> None:
    book = collection_book(tmp_path / "other")
    line = CollectionLine(1, "Charizard", 1, number="4/130")
    assert Matcher(book).match(line).position == book.cards.position("charizard_b2")


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return hard_book(tmp_path_factory.mktemp("hard"))


@pytest.mark.parametrize("app", WRITERS)
def test_hard_lines_in_the_format_of_each_app(hard: PriceBook, app: str) -> None:
    """At least 95% of the lines that one card fits are matched to it, and no line to another."""
    lines = lines_of(app)
    found = read(file_of(app, lines))
    assert found.app == app
    assert len(found.lines) == len(lines) >= 40
    matcher, right, wrong = Matcher(hard), 0, []
    for line, (*_, card) in zip(found.lines, lines, strict=True):
        match = matcher.match(line)
        got = hard.cards.ids[match.position] if match.outcome == "matched" else ""
        right += bool(card) and got == card
        if got and got != card:
            wrong.append((line, got))
    assert wrong == []
    assert right >= 0.95 * sum(bool(card) for *_, card in lines)


def test_lines_that_differ_in_copies_are_matched_once_and_searches_are_limited(
    book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[str] = []
    matcher = Matcher(book)
    find = book.suggestions.find

    def counted(text: str, limit: int) -> Any:
        searched.append(text)
        return find(text, limit)

    monkeypatch.setattr(book.suggestions, "find", counted)
    same = [CollectionLine(at, "Pikachoo", at, number="999") for at in range(1, 50)]
    outcomes = matcher.match_all(same)
    assert len(searched) <= 2
    assert {match.outcome for match in outcomes} == {"unmatched"}
    searched.clear()
    found = matcher.match_all(CollectionLine(at, f"Nobody {at}", 1) for at in range(1_000))
    assert len(searched) <= 2 * MAX_SEARCHES
    assert len(found) == 1_000


def test_a_print_run_does_not_choose_between_cards_of_two_numbers(tmp_path: Path) -> None:
    """The run alone may be that of the holofoil, or of the other card."""
    names = {
        "tcgplayer-1-holofoil": ("4/82", "1st Edition Holofoil"),
        "tcgplayer-2-normal": ("21/82", "1st Edition"),
    }
    book = book_of_cards(
        tmp_path,
        [(card, "Dark Charizard", "Team Rocket", *rest) for card, rest in names.items()],
    )
    text = "name,set,number,printing\n"
    text += "".join(
        f"Dark Charizard,Team Rocket,{number},{printing}\n"
        for number in ("", "4", "21")
        for printing in ("1st Edition", "1st Edition Holofoil")
    )
    found = Matcher(book).match_all(read(text).lines)
    assert [match.position for match in found] == [-1, 0, 0, 0, 1, -1]
    assert (found[0].outcome, found[0].reason) == ("ambiguous", "several cards fit")


STOCK = "idProduct;groupCount;price;idLanguage;condition;isFoil;isReverseHolo\n"


@pytest.mark.parametrize(
    ("line", "expected", "reason"),
    [
        ("715954;1;12.00;1;2;;", "farfetchd_83", "product id of Cardmarket"),
        ("715900;1;12.00;1;2;;", "pikachu_25", "product id of Cardmarket"),
        ("715900;1;12.00;1;2;;1", "pikachu_25_r", "product id of Cardmarket"),
        ("715954;1;12.00;1;2;1;", None, "the card has no printing 'Foil'"),
        ("999;1;12.00;1;2;;", None, "no card has the product id 999 of Cardmarket"),
        ("42382;1;12.00;1;2;;", None, "no card has the product id 42382 of Cardmarket"),
    ],
)
def test_cardmarkets_products(
    book: PriceBook, matcher: Matcher, line: str, expected: str | None, reason: str
) -> None:
    (match,) = matcher.match_all(read(STOCK + line + "\n").lines)
    found = book.cards.slugs[match.position] if match.outcome == "matched" else None
    assert (found, match.reason) == (expected, reason)


def test_a_market_without_cardmarkets_ids_says_what_would_do(hard: PriceBook) -> None:
    (match,) = Matcher(hard).match_all(read(STOCK + "715954;1;12.00;1;2;;\n").lines)
    assert (match.outcome, match.candidates) == ("unmatched", ())
    assert "no product ids of Cardmarket" in match.reason
    assert "export the collection with names" in match.reason


def test_a_list_may_have_names_slugs_and_ids(book: PriceBook, matcher: Matcher) -> None:
    text = "Farfetch'd\ncharizard_b2\ntcgplayer-42400-holofoil\n246700\nnidoran f\n"
    found = matcher.match_all(read(text).lines)
    assert [book.cards.slugs[match.position] for match in found] == [
        *("farfetchd_83", "charizard_b2", "charizard_b2", "umbreon_vmax_95", "nidoran_f")
    ]
