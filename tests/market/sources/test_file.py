from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pokewatch.errors import MissingAtSourceError, SettingsError, SourceError
from pokewatch.market.collect import collect, requested_days
from pokewatch.market.lake import Lake
from pokewatch.market.sources.file import FileSource
from pokewatch.settings import SourceSettings

NOW = datetime(2025, 10, 30, tzinfo=UTC)
ROWS = """Card ID,Date,Price,Low,Set
base-4,2025-10-20,100,90,Base
base-58,2025-10-20,5,,Base
base-4,2025-10-22,101.5,91,Base
base-58,2025-10-22,n/a,4,Base
base-4,2025-10-23,what?,4,Base
base-4,2025-10-24
"""


def opened(path: Path, **settings: Any) -> FileSource:
    return FileSource(SourceSettings.read(**settings), path, now=lambda: NOW)


@pytest.fixture
def panel(tmp_path: Path) -> Path:
    path = tmp_path / "My Prices.csv"
    path.write_text(ROWS)
    return path


def test_a_csv_is_read_by_the_names_of_its_columns(panel: Path) -> None:
    source = opened(panel)
    (batch,) = source.prices([date(2025, 10, 20), date(2025, 10, 22)])

    assert source.lake_name.startswith("file-my-prices-")
    assert source.available() == (date(2025, 10, 20), date(2025, 10, 23))
    rows = [
        (row["card_id"], row["date"].day, row["market_price"], row["low_price"])
        for row in batch.prices.to_pylist()
    ]
    assert rows == [
        ("base-4", 20, 100.0, 90.0),
        ("base-58", 20, 5.0, None),
        ("base-4", 22, 101.5, 91.0),
        ("base-58", 22, None, 4.0),
    ]
    assert batch.rejected["reason"].to_pylist() == [
        "the line has 2 cells, not 5: it ends before 'Price'"
    ]
    assert source.catalog()["set_name"].to_pylist() == ["Base", "Base"]


def test_files_of_one_name_do_not_share_a_lake(panel: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / panel.name
    other.parent.mkdir()
    other.write_text(ROWS)
    assert opened(other).lake_name != opened(panel).lake_name == opened(panel).lake_name


def test_a_day_of_bad_rows_alone_is_there_to_be_held(panel: Path, tmp_path: Path) -> None:
    source, lake = opened(panel), Lake(tmp_path / "lake")

    report = collect(source, lake, requested_days(source, None, None, None))

    assert [day.day for day in report.written] == [20, 22]
    assert list(report.held) == [date(2025, 10, 23)]
    assert report.missing == [date(2025, 10, 21)]
    assert dict(report.quarantined) == {
        "the line has 2 cells, not 5: it ends before 'Price'": 1,
        "market_price is not a number": 1,
    }
    assert (
        sum(lake.quarantined(day).num_rows for day in requested_days(source, None, None, None)) == 2
    )


def test_a_changed_file_replaces_what_changed_and_nothing_else(panel: Path, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    days = [date(2025, 10, 20), date(2025, 10, 22)]
    collect(opened(panel), lake, days)
    files = {path: path.read_bytes() for path in lake.root.rglob("*.parquet")}

    assert collect(opened(panel), lake, days).written == []
    assert {path: path.read_bytes() for path in lake.root.rglob("*.parquet")} == files

    panel.write_text(ROWS.replace("101.5", "102.5"))
    assert collect(opened(panel), lake, days).written == [date(2025, 10, 22)]
    assert lake.day(date(2025, 10, 22))["market_price"].to_pylist() == [102.5, None]


def test_days_the_panel_lacks_are_missing(panel: Path) -> None:
    batches = opened(panel).prices([date(2025, 10, 20), date(2025, 10, 21)])

    assert next(batches).days == (date(2025, 10, 20),)
    with pytest.raises(
        MissingAtSourceError,
        match="no prices for 2025-10-21; the file has days from 2025-10-20 to 2025-10-23",
    ):
        next(batches)


def test_columns_and_currency_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("sku;x,when,worth\na,2025-10-22,5\n")

    source = opened(
        path, file_columns="card_id=sku;x, date=when, market_price=worth", file_currency="EUR"
    )
    (batch,) = source.prices([date(2025, 10, 22)])

    assert batch.prices.select(["card_id", "market_price", "currency"]).to_pylist() == [
        {"card_id": "a", "market_price": 5.0, "currency": "EUR"}
    ]


@pytest.mark.parametrize("given", ["worth", "price=worth", "market_price="])
def test_a_malformed_mapping_is_reported(panel: Path, given: str) -> None:
    with pytest.raises(
        SettingsError, match=f"POKEWATCH_FILE_COLUMNS: '{given}' is not field=column"
    ):
        opened(panel, file_columns=given)


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    table = pa.table(
        {"id": [7, 8], "day": pa.array([datetime(2025, 10, 22)] * 2), "trend": [1.0, 2.0]}  # noqa: DTZ001  # as a file may have it
    )
    pq.write_table(table, path)

    (batch,) = opened(path).prices([date(2025, 10, 22)])

    assert batch.prices["card_id"].to_pylist() == ["7", "8"]


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("gone.csv", None, "the file does not exist"),
        ("empty.csv", b"", "the file is empty"),
        (
            "image.csv",
            b"\xff\xfe\x00\x01,\xff\n\xff,\xfe",
            "no header is found in the first line",
        ),
        ("a.parquet", b"PAR1 nonsense", "cannot be read as Parquet"),
        ("other.csv", b"a,b\n1,2\n", "no column holds the card id; the columns are a, b"),
        ("head.csv", b"card_id,date,price\n", "no row can be used: there are none"),
        (
            "bad.csv",
            b"card_id,date,price\na,soon,1\n",
            "no row can be used: 1 row left out: date is not a day",
        ),
    ],
)
def test_a_file_that_is_no_panel_is_reported(
    tmp_path: Path, name: str, content: bytes | None, cause: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SourceError, match=cause) as caught:
        opened(path).available()
    assert str(caught.value).startswith(f"file: {path}: ")


def test_the_path_is_a_setting(panel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="POKEWATCH_FILE_PATH"):
        FileSource(SourceSettings.read())
    monkeypatch.chdir(panel.parent)
    monkeypatch.setenv("POKEWATCH_FILE_PATH", panel.name)
    assert FileSource(SourceSettings.read()).path == panel.absolute()


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_batches_hold_whole_days(panel: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr("pokewatch.market.sources.file._ROWS_A_BATCH", rows)

    batches = list(
        opened(panel).prices([date(2025, 10, 20), date(2025, 10, 22), date(2025, 10, 23)])
    )

    assert [day.day for batch in batches for day in batch.days] == [20, 22, 23]
    assert sum(batch.prices.num_rows for batch in batches) == 4
    assert sum(batch.rejected.num_rows for batch in batches) == 2


@pytest.mark.parametrize(
    ("name", "currency"),
    [("cardmarket_daily", "EUR"), pytest.param("tcgcsv_daily", "USD", marks=pytest.mark.slow)],
)
def test_real_panels_reach_the_lake_whole(
    shared_data: Path, tmp_path: Path, name: str, currency: str
) -> None:
    path = shared_data / f"{name}.parquet"
    lake = Lake(tmp_path / "lake")
    source = FileSource(SourceSettings.read(), path)
    raw = pq.read_table(path, columns=["card_id", "date", "market_price"])

    report = collect(source, lake, requested_days(source, None, None, None))

    kept = pa.concat_tables(lake.prices(columns=["market_price", "currency"]))
    assert report.held == {}
    assert dict(report.quarantined) == {}
    assert kept.num_rows == report.rows == raw.num_rows
    assert pc.sum(kept["market_price"]).as_py() == pytest.approx(
        pc.sum(raw["market_price"]).as_py(), rel=1e-12
    )
    assert kept["currency"].unique().to_pylist() == [currency]
    assert lake.catalog().num_rows == pc.count_distinct(raw["card_id"].cast(pa.string())).as_py()


def test_a_currency_that_is_assumed_beside_a_decimal_comma_is_doubted(tmp_path: Path) -> None:
    path = tmp_path / "preise.csv"
    path.write_text("Karte;Datum;Preis\na;13.09.2025;12,50\n")
    (doubt,) = FileSource(SourceSettings.read(), path).warnings
    assert doubt == (
        "preise.csv: the prices have a decimal comma and no currency, and are stored as USD; "
        "if they are in EUR, set POKEWATCH_FILE_CURRENCY=EUR"
    )
    assert FileSource(SourceSettings.read(file_currency="EUR"), path).warnings == ()
