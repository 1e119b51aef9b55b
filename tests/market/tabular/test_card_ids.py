"""The card that a row is of."""

import json
from datetime import date
from pathlib import Path

import pytest

from tests.market.tabular.tables import A_12, found, read, table_of
from tests.market.tabular.workbook import Cell, write_workbook


def test_ids_of_names_do_not_collide(tmp_path: Path) -> None:
    names = [
        "Nidoran ♀",
        "Nidoran ♂",
        "リザードン",
        "ピカチュウ",
        "Poké Ball",
        "Poke-Ball!",
        "base1-4",
    ]
    rows = [f'"{name}",2026-01-01,{at}' for at, name in enumerate(names, start=1)]
    table = read(tmp_path, "\n".join(["card,date,price", *rows]))
    ids = table.prices["card_id"].to_pylist()
    assert len(set(ids)) == len(names) - 1  # the two ball names are one id: the second is left out
    assert {"nidoran-f", "nidoran-m", "poke-ball", "base1-4"} <= set(ids)
    assert [each.reason for each in table.left_out] == ["card_id becomes that of another card"]


@pytest.mark.parametrize(
    ("header", "one", "other"),
    [
        ("card", "Flab\u00e9b\u00e9", "Flabe\u0301be\u0301"),
        ("name", "Flab\u00e9b\u00e9", "Flabe\u0301be\u0301"),
        ("name", "Charizard ex", "CHARIZARD EX"),
        ("name,number", "Pikachu,TG05", "pikachu,tg05"),
        ("name,printing", "Pikachu,Reverse Holofoil", "Pikachu,reverse holofoil"),
        ("name", "\u30ab\u30fc\u30c9 EX", "\u30ab\u30fc\u30c9 ex"),
        ("name", "Stra\u00dfe", "STRASSE"),
        ("product_id,printing", "246723,Holofoil", "246723,HOLOFOIL"),
        ("product_id", "246723", "0246723"),
        ("product_id", "246723", "246723.0"),
        ("card_id", "246723", "246723.0"),
    ],
)
def test_one_card_in_two_spellings_has_one_history(
    tmp_path: Path, header: str, one: str, other: str
) -> None:
    table = read(tmp_path, f"{header},date,price\n{one},2026-09-13,12.5\n{other},2026-09-14,13\n")
    assert table.left_out == ()
    assert table.prices["market_price"].to_pylist() == [12.5, 13.0]
    assert table.cards.num_rows == 1


def test_two_spellings_of_a_name_on_one_day_are_two_rows_of_one_card(tmp_path: Path) -> None:
    days = "name,date,price\nMew,2026-09-13,12.5\nMew,2026-09-14,12.6\n"
    same = read(tmp_path, f"{days}MEW,2026-09-13,12.5\n")
    assert (same.prices["market_price"].to_pylist(), same.left_out) == ([12.5, 12.6], ())

    other = read(tmp_path, f"{days}MEW,2026-09-13,80\n")
    assert other.prices["market_price"].to_pylist() == [12.6]
    (left_out,) = other.left_out
    assert left_out.reason == "another row gives this card another price for the day"


def test_ids_that_differ_in_case_are_not_those_of_one_card(tmp_path: Path) -> None:
    table = read(tmp_path, "card_id,date,price\naB3,2026-09-13,12.5\nab3,2026-09-14,80\n")
    assert table.prices["market_price"].to_pylist() == [80.0]
    assert [each.reason for each in table.left_out] == ["card_id becomes that of another card"]


def test_ids_that_are_decimals_are_kept(tmp_path: Path) -> None:
    table = read(tmp_path, "card_id,date,price\n1.0,2026-09-13,12.5\n1.5,2026-09-13,13\n")
    assert table.prices["card_id"].to_pylist() == ["1-0", "1-5"]


@pytest.mark.parametrize("cell", ["#N/A", "#REF!", "N/A", "null", "nan", "-"])
@pytest.mark.parametrize("header", ["card_id", "name", "product_id"])
def test_a_word_for_nothing_is_no_card(tmp_path: Path, header: str, cell: str) -> None:
    content = f"{header},date,price\n7,2026-09-13,12.5\n{cell},2026-09-13,1\n{cell},2026-09-13,2\n"
    table = read(tmp_path, content)
    assert table.prices["market_price"].to_pylist() == [12.5]
    assert str(table.left_out[0]).endswith(f"card_id is missing (first in line 3: {cell!r})")


def test_long_numbers_that_a_spreadsheet_has_shortened_are_not_one_card(tmp_path: Path) -> None:
    rows = "1.23457E+11,2026-09-13,12.5\n1.23457E+11,2026-09-14,3\n"
    table = read(tmp_path, f"card_id,date,price\na-1,2026-09-13,1\n{rows}")
    assert table.prices["card_id"].to_pylist() == ["a-1"]
    assert str(table.left_out[0]) == (
        "2 rows left out: card_id is a number that a spreadsheet has shortened "
        "(first in line 3: '1.23457E+11')"
    )


def test_ids_that_a_workbook_does_not_hold_exactly_are_not_one_card(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [[each, date(2026, 9, 13), 12.5] for each in (7, 2**53 + 1, 2**53 + 2)]
    write_workbook(tmp_path / "p.xlsx", {"A": [["card_id", "date", "price"], *rows]})
    table = table_of(tmp_path / "p.xlsx")
    assert found(table) == [("7", "2026-09-13", 12.5)]
    assert [(each.rows, each.reason) for each in table.left_out] == [
        (2, "card_id is a number that a spreadsheet has shortened")
    ]


@pytest.mark.parametrize("product", ["Mew", "246723x", "-5", "2.5", "0", "2.46723E+05"])
def test_a_product_id_is_a_number(tmp_path: Path, product: str) -> None:
    table = read(
        tmp_path, f"product_id,date,price\n246723,2026-09-13,12.5\n{product},2026-09-13,1\n"
    )
    assert table.prices["card_id"].to_pylist() == ["tcgplayer-246723"]
    assert str(table.left_out[0]) == (
        f"1 row left out: product_id is not the number of a product (first in line 3: {product!r})"
    )


@pytest.mark.parametrize(
    ("header", "market"), [("product_id", "tcgplayer"), ("idProduct", "cardmarket")]
)
def test_whole_numbers_that_are_stored_as_decimals_are_whole(
    tmp_path: Path, header: str, market: str
) -> None:
    rows = "246723.0,58.0,2026-09-13,12.5\n246724.0,4/102,2026-09-13,3\n"
    table = read(tmp_path, f"{header},number,date,price\n{rows}")
    assert table.left_out == ()
    ids = [json.loads(each)[market] for each in table.cards["source_ids"].to_pylist()]
    assert ids == ["246723", "246724"]
    assert table.cards["number"].to_pylist() == ["58", "4/102"]
    assert all("246723.0" not in each for each in table.cards["card_id"].to_pylist())


@pytest.mark.parametrize("cell", ["", "N/A", "none", "-", "NA"])
def test_a_card_without_number_and_printing_is_one_card_however_it_says_so(
    tmp_path: Path, cell: str
) -> None:
    content = f"name,set,number,printing,date,price\nBooster,Base,{cell},{cell},2026-09-13,12.5\n"
    table = read(tmp_path, content)
    assert found(table) == [("booster-base", "2026-09-13", 12.5)]
    (card,) = table.cards.to_pylist()
    assert (card["number"], card["printing"], card["slug"]) == (None, None, "booster")
    product = read(tmp_path, f"product_id,printing,date,price\n7,{cell},2026-09-13,12.5\n")
    assert found(product) == [("tcgplayer-7", "2026-09-13", 12.5)]


@pytest.mark.parametrize(
    "total",
    [
        *("Total (3 cards)", "TOTAL 2026-09-13", "Total value:", "Summe 3 Karten", "∑ Total"),
        *("Gesamtergebnis", "Total general", "Totale complessivo", "Total geral", "Eindtotaal"),
        *("Suma końcowa", "Razem:", "Celkem", "Sous-total", "Итого", "ΣΥΝΟΛΟ", "Toplam", "I alt"),
        *("Total Result", "Base Set Total", "Base Set Ergebnis", "Overall", "Count", "Max"),
        *("Media", "Σ", "Ø", "Valeur totale", "Subtotal Base Set", "Zwischensumme 151"),
    ],
)
def test_a_total_with_a_day_is_no_card(tmp_path: Path, total: str) -> None:
    content = f"card,date,price\na-1,2026-09-13,12.5\n{total},2026-09-13,12.5\n"
    table = read(tmp_path, content)
    assert found(table) == A_12
    assert [each.reason for each in table.left_out] == ["the row is a total, not a card"]


def test_a_total_in_a_column_of_product_ids_is_no_card(tmp_path: Path) -> None:
    table = read(tmp_path, "product_id,date,price\n246723,2026-09-13,12.5\nTotal,2026-09-13,1\n")
    assert table.prices["card_id"].to_pylist() == ["tcgplayer-246723"]
    assert [each.reason for each in table.left_out] == ["the row is a total, not a card"]


def test_a_card_whose_name_begins_like_a_total_is_one(tmp_path: Path) -> None:
    content = "card,date,price\nTotal Command,2026-09-13,12.5\nMean Look,2026-09-13,2\n"
    content += "Max Potion,2026-09-13,2\n"
    assert len(found(read(tmp_path, content))) == 3
