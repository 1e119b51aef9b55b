from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from pokewatch.errors import LakeError
from pokewatch.market.collect import collect
from pokewatch.market.export import export
from pokewatch.market.lake import Lake
from pokewatch.market.sources.simulated import SimulatedSource
from pokewatch.market.sources.simulated_catalog import EPOCH

DAYS = [EPOCH + timedelta(days=number) for number in range(3)]


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_an_export_holds_the_requested_days(lake: Lake, tmp_path: Path, file_format: str) -> None:
    collect(SimulatedSource(cards=150), lake, DAYS)
    path = tmp_path / "new" / f"out.{file_format}"

    rows = export(lake, [DAYS[1], DAYS[2], date(2030, 1, 1)], path, file_format)

    table = pq.read_table(path) if file_format == "parquet" else csv.read_csv(path)
    expected = pa.concat_tables([lake.day(DAYS[1]), lake.day(DAYS[2])])
    assert rows == table.num_rows == expected.num_rows
    for name in ("card_id", "market_price", "date"):
        assert table[name].to_pylist() == expected[name].to_pylist()
    assert list(path.parent.iterdir()) == [path]


def test_an_empty_export_is_an_error(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="has none of the 3 days from 2024-01-01 to 2024-01-03"):
        export(lake, DAYS, tmp_path / "out.csv", "csv")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_an_error(lake: Lake, tmp_path: Path) -> None:
    collect(SimulatedSource(cards=150), lake, DAYS)
    path = tmp_path / "out.csv"
    path.mkdir()
    with pytest.raises(LakeError, match=r"out\.csv cannot be written: Is a directory"):
        export(lake, DAYS, path, "csv")
    assert list(tmp_path.glob(".out*")) == []
