import json
from pathlib import Path

import pytest

from pokewatch.market.tabular.sheet import TableError
from pokewatch.market.tabular.summary import summary
from tests.market.tabular.tables import A_12, found, read


@pytest.mark.parametrize(
    ("said", "currency"),
    [("€", "EUR"), ("Euro", "EUR"), ("$", "USD"), ("US$", "USD"), ("n/a", "USD"), ("-", "USD")],
)
def test_a_column_of_currencies_may_have_symbols_and_words(
    tmp_path: Path, said: str, currency: str
) -> None:
    table = read(tmp_path, f"card_id,date,price,currency\na-1,2026-09-13,12.5,{said}\n")
    assert found(table) == A_12
    assert table.prices["currency"].to_pylist() == [currency]


@pytest.mark.parametrize("said", ["C$", "Franken", "USD/EUR"])
def test_other_currencies_are_refused_as_they_are(tmp_path: Path, said: str) -> None:
    table = read(tmp_path, f"card_id,date,price,currency\na-1,2026-09-13,12.5,{said}\n")
    (left_out,) = table.left_out
    assert "the currency is not USD or EUR" in str(left_out)
    assert repr(said) in str(left_out)


def test_the_dollar_of_another_country_is_not_that_of_the_united_states(tmp_path: Path) -> None:
    table = read(tmp_path, "card_id,date,Price (CA$)\na-1,2026-09-13,12.5\n")
    assert found(table) == []
    assert table.rejected["reason"].to_pylist() == ["the currency is not USD or EUR"]


def test_a_price_is_never_stored_in_the_currency_of_another(tmp_path: Path) -> None:
    rows = "a-1,2026-09-13,$12.50,€9.00\nb-1,2026-09-13,12.50,€9.00\nc-1,2026-09-13,$12.50,9\n"
    table = read(tmp_path, f"card_id,date,price,low\n{rows}")
    assert table.prices["currency"].to_pylist() == ["EUR", "USD"]
    assert table.rejected["reason"].to_pylist() == [
        "the prices of the row are in different currencies"
    ]
    with pytest.raises(TableError, match=r"'Price \(€\)' is in EUR, and the column 'Low \(\$\)'"):
        read(tmp_path, "card_id,date,Price (€),Low ($)\na-1,2026-09-13,12.5,9\n")
    with pytest.raises(TableError, match=r"'Low \(€\)' is in EUR, and the column 'High \(\$\)'"):
        read(tmp_path, "card_id,date,Price,Low (€),High ($)\na-1,2026-09-13,12.5,9,14\n")


def test_the_header_of_another_price_names_the_currency_of_the_row(tmp_path: Path) -> None:
    table = read(tmp_path, "card_id,date,Price,Low (€)\na-1,2026-09-13,12.5,9\n")
    assert table.prices["currency"].to_pylist() == ["EUR"]
    assert table.assumed_currency == ""


def test_a_currency_comes_from_cells_header_or_column(tmp_path: Path) -> None:
    rows = ["a,2026-01-01,$1.50,", "b,2026-01-01,2.50,EUR", "c,2026-01-01,€3.50,USD"]
    content = "\n".join(["card_id,date,price,currency", *rows])
    table = read(tmp_path, content, currency="USD")
    assert table.prices["currency"].to_pylist() == ["USD", "EUR"]
    assert [each.reason for each in table.left_out] == [
        "the price carries another currency than its currency column"
    ]


def test_cells_without_a_currency_have_that_of_the_others(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        "card_id,date,price,low\na,2026-01-01,€1.50,\nb,2026-01-01,2.50,\nc,2026-01-01,,\n"
        "d,2026-01-01,N/A,\n",
    )
    assert table.prices["currency"].to_pylist() == ["EUR"] * 3
    assert table.notes == ("1 row without a currency read as EUR, that of the others",)
    mixed = read(
        tmp_path, "card_id,date,price\na,2026-01-01,€1.50\nb,2026-01-01,$1\nc,2026-01-01,3\n"
    )
    assert mixed.prices["currency"].to_pylist() == ["EUR", "USD", "USD"]
    assert mixed.notes == ()  # the currency of the options, which the report names


def test_prices_of_cardmarket_are_in_its_currency(tmp_path: Path) -> None:
    table = read(
        tmp_path, 'idProduct,Low Price,Trend Price,AVG7,Date\n"7","9.5","10.2","",2026-09-13\n'
    )
    (row,) = table.prices.to_pylist()
    assert (row["card_id"], row["market_price"], row["low_price"]) == ("7", 10.2, 9.5)
    assert (row["currency"], table.assumed_currency) == ("EUR", "")
    assert json.loads(table.cards["source_ids"][0].as_py()) == {"file": "7", "cardmarket": "7"}


def test_a_price_that_is_named_after_cardmarket_is_in_its_currency(tmp_path: Path) -> None:
    table = read(tmp_path, "card_id,date,Cardmarket Trend\na-1,2026-09-13,12.5\n")
    assert (table.prices["currency"].to_pylist(), table.assumed_currency) == (["EUR"], "")


@pytest.mark.parametrize(
    ("content", "assumed"),
    [
        ("card;date;price\na;2026-09-13;12,50\n", "USD"),
        ("card;date;price\na;2026-09-13;12,50 €\nb;2026-09-13;12,50\n", ""),
        ("card;date;price (EUR)\na;2026-09-13;12,50\n", ""),
        ("card;date;price;currency\na;2026-09-13;12,50;EUR\n", ""),
        ("card;date;price;currency\na;2026-09-13;12,50;EUR\nb;2026-09-13;12,50;\n", "USD"),
    ],
    ids=["nowhere", "in a cell", "in the header", "in a column", "not in every row"],
)
def test_a_currency_that_no_cell_names_is_assumed(
    tmp_path: Path, content: str, assumed: str
) -> None:
    table = read(tmp_path, content)
    assert table.assumed_currency == assumed
    said = "(USD where none is named: POKEWATCH_FILE_CURRENCY)"
    assert any(said in line for line in summary(table)) == bool(assumed)


def test_days_in_several_currencies_are_said_to_be_held(tmp_path: Path) -> None:
    rows = "card;date;price;currency\na;2026-09-13;12,50;EUR\na;2026-09-14;12,50;EUR\n"
    held = "1 of 2 days would be held: prices in several currencies cannot be compared"
    for more, expected in (("b;2026-09-14;3;EUR\n", False), ("b;2026-09-14;3;USD\n", True)):
        lines = list(summary(read(tmp_path, rows + more)))
        assert any(line.startswith(held) for line in lines) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            "card_id,date,price_usd,currency\na-1,2026-09-13,9,EUR\nb-1,2026-09-13,8,usd\n",
            "the header of the price names another currency than the currency column",
        ),
        (
            "card_id,date,Price (€)\na-1,2026-09-13,$9\nb-1,2026-09-13,8\n",
            "the price carries another currency than the header",
        ),
    ],
    ids=["column", "cell"],
)
def test_a_price_in_another_currency_than_its_header_is_left_out(
    tmp_path: Path, content: str, reason: str
) -> None:
    table = read(tmp_path, content)
    assert found(table) == [("b-1", "2026-09-13", 8.0)]
    assert table.rejected["reason"].to_pylist() == [reason]


@pytest.mark.parametrize(
    "content",
    [
        "card_id,date,price (USD/EUR),currency\na-1,2026-09-13,9,EUR\nb-1,2026-09-13,8,USD\n",
        "card_id,date,price usd/eur\na-1,2026-09-13,€9\nb-1,2026-09-13,$8\n",
        "card_id,date,price,low (USD),currency\na-1,2026-09-13,9,8,EUR\nb-1,2026-09-13,8,8,USD\n",
    ],
    ids=["column", "cells", "another price"],
)
def test_a_header_that_names_no_one_currency_of_the_price_contradicts_none(
    tmp_path: Path, content: str
) -> None:
    assert found(read(tmp_path, content)) == [
        ("a-1", "2026-09-13", 9.0),
        ("b-1", "2026-09-13", 8.0),
    ]


@pytest.mark.parametrize("count", [50, 60])
@pytest.mark.parametrize("header", ["idProduct,date,price", "card,date,cardmarket_trend"])
def test_one_cell_in_dollars_does_not_make_prices_of_cardmarket_dollars(
    tmp_path: Path, header: str, count: int
) -> None:
    rows = [f"{at},2026-09-13,{at}.5\n" for at in range(1, count + 1)]
    table = read(tmp_path, f"{header}\n{''.join(rows)}99,2026-09-13,$12\n")
    assert set(table.prices["currency"].to_pylist()) == {"EUR"}
    assert table.prices.num_rows == count


@pytest.mark.parametrize("stray", ["$12", "£12"])
def test_one_cell_in_another_currency_tells_nothing_of_cells_without_one(
    tmp_path: Path, stray: str
) -> None:
    cells = [f"€{at}.5" for at in range(1, 101)] + ["7", "8"]
    rows = [f"a-{at},2026-09-13,{cell}\n" for at, cell in enumerate([*cells, stray])]
    table = read(tmp_path, f"card_id,date,price\n{''.join(rows)}")
    assert table.prices["currency"].to_pylist() == ["EUR"] * len(cells)
    assert table.notes == ("2 rows without a currency read as EUR, that of the others",)
    assert (table.assumed_currency, table.rejected.num_rows) == ("", 1)


@pytest.mark.parametrize(
    ("usual", "stray", "kept", "currency"),
    [
        ("{}", "€12", "USD", "EUR"),
        ("${}", "€12", "USD", "EUR"),
        ("€{}", "12 USD", "EUR", "USD"),
    ],
)
def test_one_cell_in_another_currency_costs_its_row(
    tmp_path: Path, usual: str, stray: str, kept: str, currency: str
) -> None:
    rows = [f"a-{at},2026-09-13,{usual.format(f'{at}.5')}\n" for at in range(1, 61)]
    rows[30] = f"a-31,2026-09-13,{stray}\n"
    table = read(tmp_path, f"card_id,date,price\n{''.join(rows)}")
    assert table.prices.num_rows == 59
    assert set(table.prices["currency"].to_pylist()) == {kept}
    assert [str(each) for each in table.left_out] == [
        f"1 row left out: the price is in {currency}, and nearly all others are in {kept} "
        f"(first in line 32: {stray!r})"
    ]
