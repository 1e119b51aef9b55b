from collections.abc import Sequence

import pytest

from pokewatch.collection.costs import Cost
from pokewatch.collection.exports import Collection
from pokewatch.collection.matching import Matcher
from pokewatch.collection.worth import value_collection
from pokewatch.valuation.book import PriceBook
from tests.collection.books import collection_book
from tests.collection.test_exports import read

CARD = "Farfetch'd,151,83,Normal"
HEADER = "name,set,number,printing,quantity"


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return collection_book(tmp_path_factory.mktemp("book"), days=120)


def owned(column: str, *cells: str, copies: int = 2) -> Collection:
    lines = "".join(f'{CARD},{copies},"{cell}"\n' for cell in cells)
    return read(f'{HEADER},"{column}"\n{lines}')


def costs(column: str, *cells: str, copies: int = 2) -> Sequence[Cost | None]:
    found = owned(column, *cells, copies=copies)
    assert len(found.lines) == len(cells)
    return [found.costs.get(line.line) for line in found.lines]


@pytest.mark.parametrize(
    ("column", "cell", "cost"),
    [
        ("Average Cost Paid", "280", Cost(280.0)),
        ("Purchase price", "1.50", Cost(1.5)),
        ("Price Bought", "0.25", Cost(0.25)),
        ("Acquired Price", "3", Cost(3.0)),
        ("Cost", "$4.50", Cost(4.5, "USD")),
        ("Cost (EUR)", "4,50", Cost(4.5, "EUR")),
        ("Cost (EUR)", "$4.50", Cost(4.5, "USD")),
        ("Einkaufspreis", "12,50 €", Cost(12.5, "EUR")),
        ("Prix d'achat", "1 234,50 €", Cost(1234.5, "EUR")),
        ("Price paid in cents", "450", Cost(4.5)),
        ("Total Cost", "10", Cost(5.0)),
        ("total_paid_usd", "10", Cost(5.0, "USD")),
        ("cost", "0", None),
        ("cost", "0.0000000001", None),
        ("Cost USD/EUR", "4.50", Cost(4.5, "?")),
        ("Cost (A$)", "4.50", Cost(4.5, "AUD")),
        ("Kaufpreis (CHF)", "4.50", Cost(4.5, "CHF")),
        ("cost", "", None),
        ("cost", "n/a", None),
        ("My Price", "9", None),  # what the owner asks for
    ],
)
def test_what_a_copy_cost(column: str, cell: str, cost: Cost | None) -> None:
    assert costs(column, cell) == [cost]


@pytest.mark.parametrize("column", ["cost-basis-in-pennies", "Investment", "Bezahlt"])
def test_a_cost_of_one_copy_or_of_all_is_used_where_both_are_the_same(column: str) -> None:
    (cost,) = costs(column, "450", copies=1)
    assert cost == Cost(4.5 if "pennies" in column else 450.0)
    several = owned(column, "450", copies=2)
    assert not several.costs
    (note,) = several.notes
    assert note.startswith(f"'{column}' of 1 line with several copies is not used")
    assert note.endswith("add 'per copy' or 'total' to the name of the column")
    (total,) = costs(f"{column} total", "450")
    (each,) = costs(f"{column} per copy", "450")
    assert total == Cost(cost.amount / 2)
    assert each == cost


@pytest.mark.parametrize(
    ("table", "cost"),
    [
        ("Cost,Cost each\n{},40,10", 10.0),
        ("Cost each,Cost\n{},10,40", 10.0),
        ("Total cost,Kaufpreis\n{},40,10", 10.0),
        ("Bezahlt,Total cost\n{},10,40", 10.0),
        ("Cost,Total cost\n{},10,99", 10.0),
    ],
)
def test_of_several_columns_the_one_that_says_most_is_used(table: str, cost: float) -> None:
    found = read(f"{HEADER},{table.format(f'{CARD},4')}\n")
    assert list(found.costs.values()) == [Cost(cost)]
    assert "columns that are not used: " in " ".join(found.notes)


def test_costs_of_two_columns_of_a_name_are_not_used_where_they_differ() -> None:
    found = read(f"{HEADER},Cost,cost\n{CARD},4,10,10\n{CARD},4,10,40\n")
    assert not found.costs
    assert found.notes[-1] == (
        "costs are not used: line 3: two columns are called 'cost', with '10' and '40' in this "
        "line; remove or rename one of them"
    )
    assert read(f"{HEADER},Cost,Cost\n{CARD},4,10,10\n").costs == {2: Cost(10.0)}
    assert read(f"{HEADER},Cost ($),Cost (€)\n{CARD},4,10,9\n").costs == {2: Cost(10.0, "USD")}


@pytest.mark.parametrize("column", ["Currency", "Purchase currency", "Währung"])
def test_a_column_of_the_currency_is_that_of_the_costs(column: str) -> None:
    found = read(f"{HEADER},Cost,{column}\n{CARD},2,5,EUR\n")
    assert list(found.costs.values()) == [Cost(5.0, "EUR")]
    assert not found.notes


def test_a_cost_without_a_currency_has_that_of_the_others() -> None:
    assert costs("Cost", "€5", "5") == [Cost(5.0, "EUR"), Cost(5.0, "EUR")]
    assert costs("Cost (PLN)", "€5", "5") == [Cost(5.0, "EUR"), Cost(5.0, "PLN")]
    assert costs("Cost", "€5", "$5", "5")[2] == Cost(5.0)


def test_a_price_of_a_playset_may_be_that_of_four_copies() -> None:
    lines = f"{CARD},1,Yes,20\n{CARD},1,No,5\n"
    found = read(f"{HEADER},playset,Purchase price\n{lines}")
    assert found.costs == {3: Cost(5.0)}
    assert "'Purchase price' of 1 line with several copies is not used" in " ".join(found.notes)
    assert read(f"{HEADER},playset,Cost per copy\n{lines}").costs == {2: Cost(20.0), 3: Cost(5.0)}
    assert read(f"{HEADER},playset,Total cost\n{lines}").costs == {2: Cost(5.0), 3: Cost(5.0)}


def test_what_it_takes_to_play_a_card_is_not_what_it_cost() -> None:
    found = read(f"{HEADER},Cost,Ink\n{CARD},1,3,Ruby\n")
    assert not found.costs
    assert found.notes == ("columns that are not used: 'Cost', 'Ink'",)
    paid = read(f"{HEADER},Cost,Ink,Price paid\n{CARD},1,3,Ruby,1.20\n")
    assert list(paid.costs.values()) == [Cost(1.2)]


def test_the_currency_of_a_line_is_that_of_its_column() -> None:
    table = f"{HEADER},Purchase price,Purchase price currency\n"
    lines = f"{CARD},1,2.00,EUR\n{CARD},1,3.00,\n{CARD},1,3.00,Monopoly\n"
    found = read(table + lines)
    assert list(found.costs.values()) == [Cost(2.0, "EUR"), Cost(3.0), Cost(3.0, "?")]
    assert not found.notes


@pytest.mark.parametrize("cell", ["abc", "-5", "#REF!", "1e400", "1e12", "1.2.3"])
def test_a_cost_that_is_no_price_takes_nothing_else_from_its_line(cell: str) -> None:
    found = owned("cost", "2.00", cell)
    assert [line.quantity for line in found.lines] == [2, 2]
    assert list(found.costs.values()) == [Cost(2.0)]
    assert "'cost' of 1 line is not a price, and not used (first line 3)" in found.notes


def test_costs_that_may_be_two_numbers_are_not_used() -> None:
    found = owned("cost", "1.234")
    assert not found.costs
    (note,) = found.notes
    assert note.startswith("costs are not used: line 2: 'cost' can be read as 1.234 or 1234")
    assert note.endswith("; write costs with two decimals and without marks between thousands")
    assert costs("cost", "1.234", "2.50") == [Cost(1.234), Cost(2.5)]


def test_the_costs_of_many_copies_add_up_to_what_was_paid(book: PriceBook) -> None:
    for copies, paid in ((30_000, 1000.0), (999_983, 1234567.89)):
        found = owned("Total cost", f"{paid:.2f}", copies=copies)
        assert value_collection(book, Matcher(book), found)["totals"]["cost"] == paid


def test_what_stands_above_a_table_may_name_costs() -> None:
    for above in ("Currency,USD,Costs,120", "Kosten,Währung", "Total cost,Paid"):
        found = read(f"{above}\nname,set,number,quantity,cost\nPikachu,Base Set,58,2,3.00\n")
        assert [line.quantity for line in found.lines] == [2], above
        assert list(found.costs.values()) == [Cost(3.0)]


def test_a_column_of_costs_is_one_that_is_used() -> None:
    assert not owned("Total Cost", "1").notes
    assert "not used: 'Costs of grading'" in " ".join(owned("Costs of grading", "1").notes)


def test_profit_is_what_selling_leaves_less_what_was_paid(book: PriceBook) -> None:
    found = value_collection(book, Matcher(book), owned("Cost ($)", "1.005", "", "500.00"))
    first, second, third = found["lines"]
    assert (first["cost"], first["cost_currency"]) == (1.005, "USD")
    assert first["cost_total"] == 2.01
    assert first["profit"] == round(first["proceeds_now"] - 2.01, 2)
    assert (second["cost"], second["cost_total"], second["profit"]) == (None, None, None)
    assert third["profit"] == round(third["proceeds_now"] - 1000, 2) < 0
    totals = found["totals"]
    assert (totals["copies"], totals["copies_with_cost"], totals["cost"]) == (6, 4, 1002.01)
    assert totals["profit"] == round(first["profit"] + third["profit"], 2)
    assert first["advice"] == second["advice"] == third["advice"]


def test_a_cost_in_another_currency_is_not_compared(book: PriceBook) -> None:
    found = value_collection(book, Matcher(book), owned("Cost", "€2.00", "$3.00", "4.00"))
    assert [line["cost_total"] for line in found["lines"]] == [None, 6.0, 8.0]
    assert [line["cost_currency"] for line in found["lines"]] == ["EUR", "USD", None]
    assert found["totals"]["copies_with_cost"] == 4
    assert found["notes"] == [
        "costs without a currency are taken to be in USD",
        "the cost of 1 line is in EUR, and not compared with prices in USD (first line 2)",
    ]


def test_a_cost_in_an_unknown_currency_is_not_compared(book: PriceBook) -> None:
    table = f"{HEADER},Cost,Currency\n{CARD},1,2,EUR\n{CARD},1,3,Galleons\n"
    found = value_collection(book, Matcher(book), read(table))
    assert found["notes"] == [
        "the cost of 2 lines is in EUR or an unknown currency, and not compared with prices in USD "
        "(first line 2)"
    ]


def test_a_collection_without_costs_has_no_profit(book: PriceBook) -> None:
    found = value_collection(book, Matcher(book), read(f"{HEADER}\n{CARD},1\n"))
    assert (found["totals"]["cost"], found["totals"]["profit"]) == (None, None)
    assert found["totals"]["copies_with_cost"] == 0
    assert not found["notes"]


def test_a_line_that_is_not_valued_adds_no_cost(book: PriceBook) -> None:
    lines = f"{CARD},1,PSA 10,900\n{CARD},1,NM,3\nNobody,,1,,1,NM,5\n"
    found = value_collection(book, Matcher(book), read(f"{HEADER},condition,cost\n{lines}"))
    assert [line["cost"] for line in found["lines"]] == [900, 3, 5]
    assert found["totals"]["cost"] == 3


def test_the_limit_of_a_cost_is_that_of_its_amount_not_of_its_cents() -> None:
    found = owned("cost in cents", "5000000000", "500000000000")
    assert list(found.costs.values()) == [Cost(50_000_000.0)]
    assert [note for note in found.notes if "is not a price" in note] == [
        "'cost in cents' of 1 line is not a price, and not used (first line 3)"
    ]
