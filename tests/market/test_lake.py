from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pokewatch.errors import LakeError, PriceSchemaError
from pokewatch.market.catalog import CARD_SCHEMA, GAME_COLUMNS
from pokewatch.market.collect import collect
from pokewatch.market.lake import Lake
from pokewatch.market.prices import PRICE_SCHEMA
from pokewatch.market.sources import REJECTED_SCHEMA
from pokewatch.market.sources.file import FileSource
from pokewatch.settings import SourceSettings

DAY = date(2026, 1, 2)


def prices(
    day: date = DAY, market: float = 1.5, cards: tuple[str, ...] = ("b", "a"), hour: int = 20
) -> pa.Table:
    rows = [
        {
            "card_id": card,
            "date": day,
            "market_price": market,
            "currency": "USD",
            "source": "test",
            "observed_at": datetime(2026, 1, 2, hour, tzinfo=UTC),
        }
        for card in cards
    ]
    return pa.Table.from_pylist(rows, schema=PRICE_SCHEMA)


def cards(name: str = "Emberfox") -> pa.Table:
    row = {"card_id": "a", "slug": "emberfox", "name": name, "set_id": "s", "set_name": "Set"}
    return pa.Table.from_pylist([row], schema=CARD_SCHEMA)


def test_a_catalogue_without_the_game_columns_is_read(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_catalog(cards())
    (path,) = tmp_path.rglob("part.parquet")
    pq.write_table(pq.read_table(path).drop_columns(list(GAME_COLUMNS)), path)

    assert lake.catalog().equals(cards())


def snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file()
    }


def test_a_day_comes_back_sorted_by_card(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert lake.write_day(DAY, prices())
    assert lake.days() == [DAY]
    assert lake.day(DAY)["card_id"].to_pylist() == ["a", "b"]
    assert lake.day(DAY).schema.equals(PRICE_SCHEMA)


def test_writing_the_same_day_again_touches_no_file(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_day(DAY, prices())
    lake.write_catalog(cards())
    before = snapshot(tmp_path)
    assert not lake.write_day(DAY, prices(cards=("a", "b"), hour=23))
    assert not lake.write_catalog(cards())
    assert snapshot(tmp_path) == before


def test_a_corrected_day_replaces_the_old_one(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_day(DAY, prices())
    assert lake.write_day(DAY, prices(market=2.0))
    assert lake.day(DAY)["market_price"].to_pylist() == [2.0, 2.0]


def test_reading_a_range_keeps_order_and_columns(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    days = [date(2026, 1, day) for day in (3, 1, 2, 5)]
    for day in days:
        lake.write_day(day, prices(day))
    tables = list(lake.prices(date(2026, 1, 2), date(2026, 1, 4), ["card_id", "date"]))
    assert [table["date"][0].as_py().day for table in tables] == [2, 3]
    assert tables[0].column_names == ["card_id", "date"]


def test_a_failed_write_leaves_the_old_day_and_no_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path)
    lake.write_day(DAY, prices())
    before = snapshot(tmp_path)

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pokewatch.market.lake.pq.write_table", full_disk)
    with pytest.raises(LakeError, match="No space left"):
        lake.write_day(DAY, prices(market=9.0))
    assert snapshot(tmp_path) == before


def test_a_row_of_another_day_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        LakeError, match="there is a row of 2026-01-02 among the prices of 2026-01-03"
    ):
        Lake(tmp_path).write_day(date(2026, 1, 3), prices())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (prices().drop_columns(["currency"]), "'currency' is missing"),
        (prices().append_column("price", pa.array([1.0, 2.0])), "unknown column 'price'"),
        (
            prices().set_column(2, "market_price", pa.array(["one", "two"])),
            "'market_price' cannot be read as double",
        ),
        (
            prices().set_column(0, "card_id", pa.array([None, "b"])),
            "'card_id' has no value in row 0",
        ),
    ],
    ids=["missing", "unknown", "type", "null"],
)
def test_a_table_of_another_shape_is_named(table: pa.Table, message: str, tmp_path: Path) -> None:
    with pytest.raises(PriceSchemaError, match=message):
        Lake(tmp_path).write_day(DAY, table)


@pytest.mark.parametrize("folder", ["raw/prices", "raw/prices/2026-01-03", "raw/catalog"])
def test_pandas_and_duckdb_open_the_folders(tmp_path: Path, folder: str) -> None:
    lake = Lake(tmp_path)
    lake.write_catalog(cards())
    lake.write_day(DAY, prices())
    lake.write_day(date(2026, 1, 3), prices(date(2026, 1, 3)))
    frame = pd.read_parquet(tmp_path / folder)
    schema = CARD_SCHEMA if folder == "raw/catalog" else PRICE_SCHEMA
    assert list(frame.columns) == schema.names
    with duckdb.connect() as database:
        found = database.execute(f"select * from '{tmp_path / folder}/**/*.parquet'").fetchall()
    assert len(found) == len(frame) == {"raw/prices": 4, "raw/catalog": 1}.get(folder, 2)


def keyed(lake: Lake, day: date) -> Path:
    """Rename a day's folder to what it was called before. Return its file."""
    folder = lake.raw / "prices" / day.isoformat()
    return folder.rename(folder.with_name(f"date={day}")) / "part.parquet"


def test_the_folders_of_an_older_lake_are_read_and_renamed_by_the_next_writer(
    tmp_path: Path,
) -> None:
    lake, later = Lake(tmp_path), date(2026, 1, 3)
    for day in (DAY, later):
        lake.write_day(day, prices(day))
        keyed(lake, day)
    assert lake.days() == [DAY, later]
    assert lake.day(DAY)["card_id"].to_pylist() == ["a", "b"]
    assert not lake.write_day(DAY, prices())
    with lake.locked():
        pass
    assert sorted(path.name for path in (tmp_path / "raw" / "prices").iterdir()) == [
        "2026-01-02",
        "2026-01-03",
    ]
    assert lake.days() == [DAY, later]
    assert lake.day(later).num_rows == 2


def test_a_day_that_has_both_folders_is_one_day_and_nothing_is_lost(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_day(DAY, prices())
    part = keyed(lake, DAY)
    (tmp_path / "raw" / "prices" / "2026-01-02").mkdir()
    with lake.locked():
        pass
    assert lake.days() == [DAY]
    assert lake.day(DAY).num_rows == 2
    assert part.exists()


def test_a_missing_day_and_catalogue_are_reported(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="no prices for 2026-01-02"):
        Lake(tmp_path).day(DAY)
    with pytest.raises(LakeError, match="no catalogue"):
        Lake(tmp_path).catalog()
    assert Lake(tmp_path).days() == []


def test_a_damaged_day_is_named(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_day(DAY, prices())
    part = tmp_path / "raw" / "prices" / "2026-01-02" / "part.parquet"
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(LakeError, match="2026-01-02"):
        lake.day(DAY)


def test_quarantine_keeps_reasons_and_empties(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    rejected = pa.Table.from_pylist(
        [{"date": DAY, "card_id": "a", "row": "{}", "reason": "negative"}], schema=REJECTED_SCHEMA
    )
    lake.write_quarantined(DAY, rejected)
    assert lake.quarantined(DAY)["reason"].to_pylist() == ["negative"]
    lake.write_quarantined(DAY, REJECTED_SCHEMA.empty_table())
    assert not lake.quarantined(DAY).num_rows


@pytest.mark.parametrize("left", [0, 1])
def test_a_damaged_quarantine_is_lost_until_its_day_is_read_again(
    home: Path, tmp_path: Path, left: int
) -> None:
    rows, bad = [f"card-{n},2026-01-02,{n + 1}" for n in range(60)], ["x-1,2026-01-02,-1"]
    path, lake = tmp_path / "p.csv", Lake(tmp_path / "lake")

    def read_again(rejected: list[str]) -> None:
        path.write_text("\n".join(["card_id,date,price", *rows, *rejected]))
        collect(FileSource(SourceSettings.read(), path), lake, [DAY])

    read_again(bad)
    (lake.quarantine / "2026-01-02" / "part.parquet").write_bytes(b"PAR1")
    with lake.locked():
        lake.set_aside_unreadable()
    assert lake.lost() == [Path("quarantine/2026-01-02/part.parquet")]
    read_again(bad[:left])
    assert lake.lost() == []
    assert lake.quarantined(DAY).num_rows == left


def test_the_games_of_a_day_are_recorded_with_it(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert lake.write_day(DAY, prices(), ("Magic", "Pokemon"))
    assert lake.games(DAY) == ("Magic", "Pokemon")
    assert not lake.write_day(DAY, prices(), ("Gundam", "Magic", "Pokemon"))
    assert lake.games(DAY) == ("Gundam", "Magic", "Pokemon")
    assert not lake.write_day(DAY, prices())
    assert lake.games(DAY) == ()
    assert lake.day(DAY).schema.metadata is None


def test_a_row_that_is_the_same_keeps_its_first_time_of_observation(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_day(DAY, prices(hour=20))
    lake.write_day(DAY, pa.concat_tables([prices(hour=21), prices(cards=("c",), hour=21)]))

    assert [time.hour for time in lake.day(DAY)["observed_at"].to_pylist()] == [20, 20, 21]
    lake.write_day(DAY, prices(market=2.0, hour=22))
    assert [time.hour for time in lake.day(DAY)["observed_at"].to_pylist()] == [22, 22]
