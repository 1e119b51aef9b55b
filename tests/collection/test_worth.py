from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest

from pokewatch.collection.matching import Matcher
from pokewatch.collection.worth import _value, _worths, value_collection
from pokewatch.decision import Distribution, predictive_cdf
from pokewatch.decision.fees import FEES
from pokewatch.settings import DecisionSettings
from pokewatch.valuation.book import PriceBook
from tests.collection.books import collection_book
from tests.collection.test_exports import read

HEADER = "name,set,number,printing,condition,quantity,grade\n"


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return collection_book(tmp_path_factory.mktemp("book"), days=120)


def value(book: PriceBook, lines: str) -> dict:  # type: ignore[type-arg]
    return value_collection(book, Matcher(book), read(HEADER + lines))


def test_a_line_is_worth_its_copies_in_their_condition(book: PriceBook) -> None:
    found = value(book, "Farfetch'd,151,83,Normal,LP,3,\n")
    (line,) = found["lines"]
    market = float(book.look_up(["farfetchd_83"]).market[0])
    assert line["market_price"] == pytest.approx(round(market * 0.85, 2))
    assert line["market_total"] == pytest.approx(round(market * 0.85 * 3, 2))
    proceeds = float(FEES["tcgplayer"].proceeds(market * 0.85)) * 3
    assert line["proceeds_now"] == pytest.approx(proceeds, abs=0.01)
    assert line["lower"] < line["fair_price"] < line["upper"]
    assert found["condition_factors"]["LP"] == 0.85


@pytest.mark.parametrize("condition", ["LP", "MP", "HP", "DMG"])
def test_half_a_cent_is_rounded_as_in_a_spreadsheet(book: PriceBook, condition: str) -> None:
    card = "Farfetch'd,151,83,Normal"
    found = value(book, "".join(f"{card},{condition},{n},\n" for n in range(1, 200)))
    factor = Decimal(str(found["condition_factors"][condition]))
    price = Decimal(f"{book.look_up(['farfetchd_83']).market[0]:.2f}") * factor
    for line in found["lines"]:
        exact = (price * line["quantity"]).quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert line["market_total"] == float(exact)


def test_a_price_that_stays_does_not_fall(book: PriceBook) -> None:
    quotes = book.look_up(["farfetchd_83"])
    known = Distribution.from_array(quotes.distribution)
    rises, stays = 1.0 - predictive_cdf(known, quotes.market)[0], known.unchanged[0]
    (line,) = value(book, "Farfetch'd,151,83,Normal,LP,3,\n")["lines"]
    assert stays > 0.1
    assert line["chance_of_fall"] == pytest.approx(1.0 - rises - stays, abs=1e-3)


def test_totals_are_those_of_the_valued_lines(book: PriceBook) -> None:
    found = value(
        book,
        "Farfetch'd,151,83,Normal,NM,2,\n"
        "Charizard,Base Set 2,4,Holofoil,NM,1,\n"
        "Charizard,,4,,NM,5,\n"
        "Nobody,,1,,NM,7,\n"
        "Pikachu,151,25,Normal,Chewed,1,\n"
        "Pikachu,151,25,Normal,NM,1,PSA 10\n",
    )
    valued = [line for line in found["lines"] if line["why_unvalued"] is None]
    assert found["totals"]["copies"] == 3
    assert found["totals"]["market"] == round(sum(line["market_total"] for line in valued), 2)
    assert found["counts"] == {
        "matched": {"lines": 4, "copies": 5},
        "ambiguous": {"lines": 1, "copies": 5},
        "unmatched": {"lines": 1, "copies": 7},
        "refused": {"lines": 0, "copies": 0},
    }
    assert [line["why_unvalued"] for line in found["lines"][2:]] == [
        "ambiguous",
        "unmatched",
        "the condition 'Chewed' is not known",
        "there are no prices of graded copies (PSA 10)",
    ]


def test_the_interval_of_the_total_is_that_of_its_own_past(book: PriceBook) -> None:
    """Each card of this book gains a cent a day, so the total was never far from its price."""
    totals = value(book, "Charizard,Base Set 2,4,Holofoil,NM,1,\n")["totals"]
    assert totals["fair"] * 0.9 <= totals["lower"] < totals["fair"] < totals["upper"]
    assert totals["upper"] <= totals["fair"] * 1.1


def test_a_short_book_gives_no_interval(tmp_path: Path) -> None:
    book = collection_book(tmp_path, days=20)
    totals = value(book, "Charizard,Base Set 2,4,Holofoil,NM,1,\n")["totals"]
    assert (totals["lower"], totals["upper"]) == (None, None)


def test_an_empty_collection(book: PriceBook) -> None:
    found = value(book, "Nobody,,1,,NM,7,\n")
    assert found["totals"]["copies"] == 0
    assert found["totals"]["market"] == 0
    assert found["totals"]["lower"] is None


def test_fees_of_another_currency_are_refused(book: PriceBook) -> None:
    with pytest.raises(ValueError, match="cardmarket are in EUR"):
        value_collection(book, Matcher(book), read(HEADER), "cardmarket")


def test_a_line_without_a_name_is_named_by_its_id(book: PriceBook) -> None:
    stock = read("idProduct;groupCount;idLanguage\n715954;2;1\n999;1;1\n246700;0;1\n")
    found = value_collection(book, Matcher(book), stock)
    assert [line["name"] for line in found["lines"]] == [
        "Cardmarket product 715954",
        "Cardmarket product 999",
    ]
    assert (found["totals"]["copies"], found["counts"]["unmatched"]["lines"]) == (2, 1)
    assert found["refused"] == [
        {"line": 4, "text": "Cardmarket product 246700", "reason": "it counts no copy"}
    ]


def test_the_progress_of_cards_and_lines_is_reported(book: PriceBook) -> None:
    cards: list[int] = []
    lines: list[int] = []
    found = read(HEADER + "Farfetch'd,151,83,Normal,LP,3,\n" * 3)
    value_collection(book, Matcher(book, cards.append), found, None, lines.append)
    assert (sum(cards), sum(lines)) == (len(book.cards), 3)


def test_the_amounts_of_the_lines_add_up_to_the_totals(book: PriceBook) -> None:
    """Of many lines of fractions of a cent, which are all lost or won by rounding each."""
    found = value(book, "Farfetch'd,151,83,Normal,LP,1,\nPikachu,151,25,Normal,MP,1,\n" * 300)
    lines, totals = found["lines"], found["totals"]
    columns = {"market": "market_total", "fair": "fair_total", "proceeds_now": "proceeds_now"}
    sums = {name: round(sum(line[each] for line in lines), 2) for name, each in columns.items()}
    assert sums == {name: totals[name] for name in columns}
    gains = round(sum(line["gain_of_selling"] for line in lines), 2)
    assert round(totals["proceeds_now"] - totals["proceeds_at_horizon"], 2) == gains


@pytest.mark.parametrize(("price", "advice"), [(0.638, "sell"), (0.634, "keep")])
def test_advice_and_gain_are_by_the_amounts_that_are_shown(
    book: PriceBook, price: float, advice: str
) -> None:
    owned = read(HEADER + "Farfetch'd,151,83,Normal,NM,1,\n")
    matches = Matcher(book).match_all(owned.lines)
    valued = _value(book, owned, matches, FEES["tcgplayer"], DecisionSettings.read())
    (row,) = _worths(
        replace(
            valued,
            quotes=replace(valued.quotes, market=np.array([price]), status=np.array(["ok"])),
            proceeds=np.array([0.506]),
            later=np.array([0.494]),
            sell_above=np.array([0.64]),
        )
    )
    assert (row["market_price"], row["sell_above"], row["advice"]) == (
        round(price, 2),
        0.64,
        advice,
    )
    assert (row["proceeds_now"], row["gain_of_selling"]) == (0.51, 0.02)


def test_a_line_has_what_tells_its_card_from_others_of_its_name(book: PriceBook) -> None:
    found = value(book, "Pikachu,151,25,Reverse Holofoil,NM,1,\nNobody,,1,,NM,7,\n")
    fields = ("card_id", "card", "card_name", "set_name", "number", "printing")
    assert [[line[field] for field in fields] for line in found["lines"]] == [
        [
            "tcgplayer-517000-reverse-holofoil",
            "pikachu_25_r",
            "Pikachu - 025/165",
            "SV: Scarlet & Violet 151",
            "025/165",
            "Reverse Holofoil",
        ],
        [None] * 6,
    ]
