"""Which column holds what."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pokewatch.market.tabular.sheet import TableError
from tests.market.tabular.tables import A_12, found, read, table_of


def test_a_day_of_the_export_beside_a_column_a_day(tmp_path: Path) -> None:
    content = "card,snapshot_date,2026-09-12,2026-09-13\na-1,2026-09-14,5,6\n"
    assert read(tmp_path, content).prices["market_price"].to_pylist() == [5, 6]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("price", pa.array([[1.5]])),
        ("price", pa.array([1], pa.duration("s"))),
        ("date", pa.array([1], pa.time32("s"))),
        ("card_id", pa.array([b"\xff"])),
        ("card_id", pa.array([{"a": 1}])),
    ],
)
def test_columns_of_no_single_values_are_named(
    tmp_path: Path, column: str, values: pa.Array
) -> None:
    path = tmp_path / "p.parquet"
    columns = {
        "card_id": pa.array(["a"]),
        "date": pa.array(["2026-09-13"]),
        "price": pa.array([1.0]),
    }
    pq.write_table(pa.table(columns | {column: values}), path)
    with pytest.raises(TableError, match=f"the column '{column}' holds .*; store it as text"):
        table_of(path)


def test_two_columns_of_one_name_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    columns = [pa.array(["a"]), pa.array(["2026-09-13"]), pa.array([1.0]), pa.array([2.0])]
    pq.write_table(pa.table(columns, names=["card_id", "date", "price", "price"]), path)
    with pytest.raises(TableError, match="two columns are called 'price'"):
        table_of(path)


@pytest.mark.parametrize(
    "header",
    [
        "カード名,日付,価格",
        "Kaart,Datum,Prijs",
        "Karta,Data,Cena",
        "Carta,Data,Preço",
        "Nom de la carte,Jour,Prix",
        "Artikel,Datum,Preistrend",
        "product-name,date,loose-price",
        "Kort,Dato,Pris",
        "Kortti,P\u00e4iv\u00e4,Hinta",
        "Kortti,Pa\u0308iva\u0308,Hinta",
        "Карта,Дата,Цена",
        "Carte,Date,Prix du marché",
        "卡片,日期,价格",
        "Card Title,Snapshot Date,Current Price",
        "Item,As of Date,Market Value (USD)",
    ],
)
def test_columns_have_their_usual_names_in_many_languages(tmp_path: Path, header: str) -> None:
    assert found(read(tmp_path, f"{header}\na-1,2026-09-13,12.5\n")) == A_12


@pytest.mark.parametrize(
    "name", ["market_price", "price", "Price (€)", "price_cents", "low", "avg30", "volume"]
)
@pytest.mark.parametrize("first", [True, False])
def test_a_price_beside_columns_of_days_is_not_that_of_the_days(
    tmp_path: Path, name: str, first: bool
) -> None:
    order = ("{other},{days}" if first else "{days},{other}").format
    header = order(other=name, days="2026-09-12,2026-09-13")
    table = read(tmp_path, f"card_id,{header}\na-1,{order(other='9', days='8.5,12.5')}\n")
    assert found(table) == [("a-1", "2026-09-12", 8.5), *A_12]
    assert table.prices["currency"].to_pylist() == ["USD", "USD"]
    for unknown in ("low_price", "avg30_price", "volume"):
        assert table.prices[unknown].null_count == 2
    assert table.notes == (f"not used beside columns of days: '{name}'",)


@pytest.mark.parametrize("column", ["language", "grade", "note"])
def test_a_column_of_no_single_values_that_is_not_used_is_no_obstacle(
    tmp_path: Path, column: str
) -> None:
    path = tmp_path / "p.parquet"
    rows = {"card_id": ["a", "a"], "date": ["2026-09-13"] * 2, "price": [1.0, 2.0]}
    for nested in (pa.array([{"code": "en"}] * 2), pa.array([["en"]] * 2), pa.array([b"en"] * 2)):
        pq.write_table(pa.table(rows | {column: nested}), path)
        reason = "another row gives this card another price for the day"
        assert table_of(path).rejected["reason"].to_pylist() == [reason] * 2
        with pytest.raises(TableError, match=f"the column '{column}' holds"):
            table_of(path, key=(column,))


def test_a_column_of_the_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        TableError, match="there is no column 'grad' for POKEWATCH_FILE_KEY; the columns are"
    ):
        read(tmp_path, "card_id,grade,date,price\na,PSA 9,2026-09-13,3\n", key=("grad",))


@pytest.mark.parametrize("header", ["Card #", "Card #  ", "Collector #"])
def test_a_number_sign_after_what_it_numbers_is_part_of_the_name(
    tmp_path: Path, header: str
) -> None:
    content = f"Name,{header},Date,Price\nMew,58,2026-09-12,5\nMuk,58,2026-09-13,6\n"
    assert found(read(tmp_path, content)) == [
        ("mew-58", "2026-09-12", 5.0),
        ("muk-58", "2026-09-13", 6.0),
    ]


def test_a_card_and_its_number_are_not_two_columns_of_ids(tmp_path: Path) -> None:
    content = "Card,Card #,Date,Price\nMew,58,2026-09-12,5\nMuk,59,2026-09-13,6\n"
    assert found(read(tmp_path, content)) == [
        ("mew", "2026-09-12", 5.0),
        ("muk", "2026-09-13", 6.0),
    ]
