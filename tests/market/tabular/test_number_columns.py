"""The unit of prices: dollars and euros, or cents."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pokewatch.market.tabular.sheet import TableError
from pokewatch.market.tabular.summary import summary
from tests.market.tabular.tables import found, read, table_of

CENTS = "card_id,date,{}\n" + "".join(
    f"a-{number},2026-09-13,{cents}\n" for number, cents in enumerate((12345, 99, 250, 1000, 5))
)
DOLLARS = [123.45, 0.99, 2.5, 10.0, 0.05]


@pytest.mark.parametrize(
    "name", ["price_cents", "Market Price (cents)", "price in cents", "price_usd_cents", "cents"]
)
def test_a_column_in_cents_is_read_as_such(tmp_path: Path, name: str) -> None:
    given = {"columns": {"market_price": name}} if name == "cents" else {}
    table = read(tmp_path, CENTS.format(name), **given)
    assert [price for _, _, price in found(table)] == DOLLARS
    assert f"in cents, divided by 100: '{name}'" in "\n".join(summary(table))


def test_a_column_of_whole_prices_goes_before_one_of_cents(tmp_path: Path) -> None:
    content = "card_id,date,price_cents,price\na-1,2026-09-13,1250,12.50\n"
    table = read(tmp_path, content)
    assert found(table) == [("a-1", "2026-09-13", 12.5)]
    assert list(table.units()) == []


def test_asks_in_cents_are_read_by_their_own_name(tmp_path: Path) -> None:
    table = read(tmp_path, "card_id,date,price,low_price_cents\na-1,2026-09-13,12.50,1100\n")
    assert table.prices["low_price"].to_pylist() == [11.0]
    assert table.cents == ("low_price_cents",)


def test_prices_without_decimals_are_pointed_out(tmp_path: Path) -> None:
    whole = read(tmp_path, CENTS.format("price"))
    (note,) = whole.units()
    assert note == (
        "every market price is a whole number, 5 to 12,345 USD; if these are cents, "
        "set POKEWATCH_FILE_UNIT=cents"
    )
    assert note in "\n".join(summary(whole))
    cents = read(tmp_path, CENTS.format("price"), unit="cents")
    assert [price for _, _, price in found(cents)] == DOLLARS
    assert list(read(tmp_path, CENTS.format("price"), unit="whole").units()) == []


@pytest.mark.parametrize(
    "cells", ["12.00 99 250 1000 5", "12 12 13 13 14", "1.5 99 250 1000 5", "$12.00 $9 $8 $7 $6"]
)
def test_prices_with_decimals_or_too_few_are_not(tmp_path: Path, cells: str) -> None:
    rows = "".join(f"a-{n},2026-09-13,{cell}\n" for n, cell in enumerate(cells.split()))
    assert list(read(tmp_path, f"card_id,date,price\n{rows}").units()) == []


def test_typed_numbers_are_pointed_out_too(tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    table = {
        "card_id": [f"a-{number}" for number in range(5)],
        "date": ["2026-09-13"] * 5,
        "market_price": [12345, 99, 250, 1000, 5],
    }
    pq.write_table(pa.table(table), path)
    assert len(list(table_of(path).units())) == 1


def test_a_wide_table_in_cents(tmp_path: Path) -> None:
    content = "card_id,2026-09-13,2026-09-14\na-1,1250,1300\na-2,7,8\na-3,9,10\n"
    assert len(list(read(tmp_path, content).units())) == 1
    table = read(tmp_path, content, unit="cents")
    assert found(table)[0] == ("a-1", "2026-09-13", 12.5)


def test_two_columns_of_cents_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="both hold the market price"):
        read(tmp_path, "card_id,date,price_cents,price cents\na-1,2026-09-13,1,2\n")


@pytest.mark.parametrize("cell", ["1\u00b2", "12.50\u00b9", "\u00bd", "1\u00bd", "\u2460"])
def test_raised_digits_and_fractions_are_no_part_of_a_number(tmp_path: Path, cell: str) -> None:
    table = read(tmp_path, f"card_id,date,price\na-1,2026-09-13,{cell}\n")
    assert found(table) == []
    assert table.rejected["reason"].to_pylist() == ["market_price is not a number"]


def test_a_price_too_small_to_be_shown_is_none(tmp_path: Path) -> None:
    table = read(tmp_path, "card_id,date,price\na-1,2026-09-13,1e-300\nb-1,2026-09-13,0.01\n")
    assert found(table) == [("b-1", "2026-09-13", 0.01)]


def test_prices_of_many_digits_are_shown_short(tmp_path: Path) -> None:
    shown = "\n".join(summary(read(tmp_path, "card_id,date,price\na-1,2026-09-13,1e308\n")))
    assert "a-1  1e+308 USD" in shown


def test_prices_without_decimals_of_which_no_row_can_be_used(tmp_path: Path) -> None:
    table = read(tmp_path, CENTS.format("price").replace("2026", "2031"))
    assert found(table) == []
    assert list(table.units()) == []
