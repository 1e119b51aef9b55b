from pathlib import Path

import pytest

from pokewatch.market.tabular.sheet import TableError
from tests.market.tabular.test_reading import A_12, found, read


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
