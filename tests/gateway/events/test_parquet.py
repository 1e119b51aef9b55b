"""Files that other libraries read."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.gateway.events.parquet import DateColumn, NumberColumn, TextColumn, parquet_file

ROW = st.tuples(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.integers(0, 2**31 - 1),
    st.none() | st.floats(allow_nan=False),
)
SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("price", pa.float64()),
    ]
)


def file_of(rows: list[tuple[str, int, float | None]]) -> bytes:
    names, days, prices = zip(*rows, strict=True) if rows else ((), (), ())
    return parquet_file(
        [TextColumn("name", names), DateColumn("day", days), NumberColumn("price", prices)]
    )


@given(st.lists(ROW, max_size=50))
def test_arrow_reads_what_was_written(rows: list[tuple[str, int, float | None]]) -> None:
    table = pq.read_table(pa.BufferReader(file_of(rows)))
    assert table.schema.equals(SCHEMA)
    days = table["day"].cast(pa.int32()).to_pylist()
    found = zip(table["name"].to_pylist(), days, table["price"].to_pylist(), strict=True)
    assert list(found) == rows


@pytest.mark.parametrize("count", [1, 8, 9, 5_000])
def test_duckdb_reads_it_too(tmp_path: Path, count: int) -> None:
    rows = [(f"card_{at}", at, None if at % 3 else at / 7) for at in range(count)]
    path = tmp_path / "some.parquet"
    path.write_bytes(file_of(rows))
    query = f"select count(*), count(price), sum(price), max(name) from '{path}'"
    (found,) = duckdb.execute(query).fetchall()
    prices = [price for _, _, price in rows if price is not None]
    assert found == (
        count,
        len(prices),
        pytest.approx(sum(prices)),
        max(name for name, _, _ in rows),
    )


def test_repeated_values_take_little_room() -> None:
    assert len(file_of([("charizard", 20_000, 1.0)] * 20_000)) < 3_000


def test_columns_of_many_fields_are_listed() -> None:
    columns = [TextColumn(f"c{number}", ["x"]) for number in range(20)]
    assert pq.read_table(pa.BufferReader(parquet_file(columns))).num_columns == 20
