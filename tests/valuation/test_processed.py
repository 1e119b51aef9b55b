import hashlib
from collections.abc import Callable
from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pokewatch.errors import ValuationError
from pokewatch.market.lake import Lake
from pokewatch.market.sources.file import FileSource
from pokewatch.market.sources.simulated import SimulatedSource
from pokewatch.settings import SourceSettings
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.panel_file import read_panel
from pokewatch.valuation.processed import process, read_processed

START, DAYS = date(2026, 3, 1), 9
END = START + timedelta(days=DAYS - 1)


def fill(lake: Lake, without: date | None = None) -> pa.Table:
    """A lake of 60 simulated cards; all its price rows."""
    source = SimulatedSource(cards=60, seed=3)
    tables = []
    for batch in source.prices([START + timedelta(days=day) for day in range(DAYS)]):
        for day in batch.days:
            if day != without:
                tables.append(batch.prices.filter(pc.equal(batch.prices["date"], day)))
                lake.write_day(day, tables[-1])
    lake.write_catalog(source.catalog())
    return pa.concat_tables(tables)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


def test_the_files_are_the_same_whatever_the_number_of_shards(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    fill(lake)
    for shards in (1, 3, 40):
        for shard in range(shards):
            process(lake, START, END, shard, shards, tmp_path / f"of-{shards}")
    assert len(digests(tmp_path / "of-1")) > 1
    assert digests(tmp_path / "of-1") == digests(tmp_path / "of-3") == digests(tmp_path / "of-40")


def test_cards_of_one_set_are_shared_among_the_shards(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    fill(lake)
    catalog = lake.catalog()
    same = pa.array(["one"] * catalog.num_rows)
    column = catalog.schema.get_field_index("set_id")
    lake.write_catalog(catalog.set_column(column, catalog.schema.field(column), same))
    for shard in range(2):
        process(lake, START, END, shard, 2, tmp_path / str(shard))
    cards = [read_processed(tmp_path / str(shard)).cards for shard in range(2)]
    assert min(cards) > 10


def test_when_the_market_changed_is_part_of_the_version(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    fill(lake)
    for name, changed in (("unchanged", None), ("changed", START + timedelta(days=4))):
        process(lake, START, END, 0, 1, tmp_path / name, changed)
        assert read_processed(tmp_path / name).changed == changed
    assert digests(tmp_path / "unchanged") != digests(tmp_path / "changed")


@pytest.mark.parametrize(
    "missing", [None, START + timedelta(days=4)], ids=["whole", "a-day-missing"]
)
def test_the_panel_holds_what_the_lake_has(tmp_path: Path, missing: date | None) -> None:
    lake = Lake(tmp_path / "lake")
    rows = fill(lake, without=missing)
    process(lake, START, END, 0, 1, tmp_path / "out")
    panel = read_processed(tmp_path / "out")
    assert (panel.dates[0].item(), panel.dates[-1].item()) == (START, END)
    card = {card_id: number for number, card_id in enumerate(panel.card_id.tolist())}
    for field, column in (("market", "market_price"), ("low", "low_price"), ("mid", "mid_price")):
        wanted = np.full(panel.market.shape, np.nan)
        for row in rows.select(["card_id", "date", column]).to_pylist():
            if row["card_id"] in card and row[column] is not None:
                wanted[(row["date"] - START).days, card[row["card_id"]]] = row[column]
        np.testing.assert_array_equal(getattr(panel, field), wanted, err_msg=field)
    assert np.isfinite(panel.market).any(axis=0).all()
    assert set(
        rows.filter(pc.is_valid(rows["market_price"]))["card_id"].unique().to_pylist()
    ) == set(card)


def test_averages_of_sales_pass_from_a_file_through_the_lake_to_the_panel(tmp_path: Path) -> None:
    rng, days = np.random.default_rng(0), [START + timedelta(days=day) for day in range(DAYS)]
    cards = [f"set{number % 4}-{number}" for number in range(8)]
    rows = [
        f"{card},{card.split('-')[0]},{day},{price:.2f},{'' if card == cards[0] else price - 0.25}"
        for day in days
        for card, price in zip(cards, rng.integers(2, 9, len(cards)), strict=True)
    ]
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(["card_id,set_id,date,trend,avg30", *rows]))
    source, lake = FileSource(SourceSettings.read(), path), Lake(tmp_path / "lake")
    for batch in source.prices(days):
        for day in batch.days:
            lake.write_day(day, batch.prices.filter(pc.equal(batch.prices["date"], day)))
    lake.write_catalog(source.catalog())
    for shards in (1, 3):
        for shard in range(shards):
            process(lake, START, END, shard, shards, tmp_path / f"of-{shards}")
    assert digests(tmp_path / "of-1") == digests(tmp_path / "of-3")
    panel = read_processed(tmp_path / "of-1")
    assert panel.avg30 is not None
    assert panel.avg7 is None
    wanted = np.where(panel.card_id == cards[0], np.nan, np.asarray(panel.market) - 0.25)
    np.testing.assert_array_equal(panel.avg30, wanted)


def test_the_panel_of_a_file_is_the_same_with_and_without_a_lake(tmp_path: Path) -> None:
    """`evaluate` reads the file, the flow what it collected from it."""
    rng, days = np.random.default_rng(0), [START + timedelta(days=day) for day in range(DAYS)]
    names = ["card_id", "set_id", "date", "trend", "low", "mid", "avg7", "avg30"]
    rows = [",".join([*names, "volume", "stale_days"])]
    for day in days:
        for number in range(12):
            prices = rng.integers(2, 4, 5)
            prices[1:3].sort()  # the low price is not above the mid price
            cells = ",".join(f"{price:.2f}" for price in prices)
            sold, stale = rng.choice(["", "0", "3"]), rng.choice(["", "0", "1", "9"])
            rows.append(f"c-{number},set{number % 3},{day},{cells},{sold},{stale}")
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(rows))
    lake = Lake(tmp_path / "lake")
    source = FileSource(SourceSettings.read(), path)
    for batch in source.prices(days):
        for day in batch.days:
            lake.write_day(day, batch.prices.filter(pc.equal(batch.prices["date"], day)))
    lake.write_catalog(source.catalog())
    process(lake, START, END, 0, 1, tmp_path / "out")
    panel, direct = read_processed(tmp_path / "out"), read_panel(path)
    for field in fields(Panel):
        np.testing.assert_array_equal(
            getattr(panel, field.name), getattr(direct, field.name), err_msg=field.name
        )
    assert panel.stale is not None
    changed = np.diff(panel.market, axis=0) != 0
    assert (panel.fresh[1:] & ~changed & (panel.stale[1:] == 0)).any()
    assert (panel.fresh[1:] & ~changed & ~(panel.stale[1:] == 0)).any()


def test_card_attributes_are_those_of_the_catalogue(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    fill(lake)
    process(lake, START, END, 0, 1, tmp_path / "out")
    panel = read_processed(tmp_path / "out")
    by_id = {row["card_id"]: row for row in lake.catalog().to_pylist()}
    for number, card_id in enumerate(panel.card_id.tolist()):
        row = by_id[card_id]
        assert (panel.set_id[number], panel.rarity[number], panel.printing[number]) == (
            row["set_id"],
            row["rarity"] or "",
            row["printing"] or "",
        )
        assert panel.released[number].item() == row["released"]
    assert set(panel.currency.tolist()) == {"USD"}


def test_a_card_outside_the_catalogue_is_still_valued(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    fill(lake)
    lake.write_catalog(lake.catalog().slice(1))
    process(lake, START, END, 0, 1, tmp_path / "out")
    panel = read_processed(tmp_path / "out")
    assert "" in panel.set_id.tolist()


def test_a_sale_makes_an_unchanged_quote_fresh(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    fill(lake)
    table = lake.day(START)
    for offset, volume in ((0, 0), (1, 2), (2, 0), (3, None)):
        day = START + timedelta(days=offset)
        same = table.set_column(
            table.schema.get_field_index("date"), "date", pa.array([day] * len(table), pa.date32())
        )
        lake.write_day(
            day,
            same.set_column(
                table.schema.get_field_index("volume"),
                "volume",
                pa.array([volume] * len(table), pa.int32()),
            ),
        )
    process(lake, START, START + timedelta(days=3), 0, 1, tmp_path / "out")
    panel = read_processed(tmp_path / "out")
    np.testing.assert_array_equal(panel.fresh.all(axis=1), [True, True, False, False])


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (
            lambda lake, out: process(lake, START, END, 3, 3, out),
            ValueError,
            r"within 0\.\.2, got 3",
        ),
        (
            lambda lake, out: process(lake, END, START, 0, 1, out),
            ValueError,
            "got 2026-03-09 to 2026-03-01",
        ),
        (
            lambda lake, out: process(lake, date(2020, 1, 1), date(2020, 1, 2), 0, 1, out),
            ValuationError,
            "no prices from 2020-01-01",
        ),
        (lambda lake, out: read_processed(out), ValuationError, "no processed prices"),
    ],
    ids=["shard", "days", "empty", "none"],
)
def test_invalid_arguments_raise(
    tmp_path: Path, act: Callable[[Lake, Path], object], error: type[Exception], message: str
) -> None:
    lake = Lake(tmp_path / "lake")
    fill(lake)
    with pytest.raises(error, match=message):
        act(lake, tmp_path / "out")


def test_a_damaged_bucket_and_mixed_days_raise(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    fill(lake)
    paths = process(lake, START, END, 0, 1, tmp_path / "out")
    whole = paths[0].read_bytes()
    process(lake, START, START, 0, 1, tmp_path / "other")
    paths[0].write_bytes((tmp_path / "other" / paths[0].name).read_bytes())
    with pytest.raises(ValuationError, match="different days"):
        read_processed(tmp_path / "out")
    paths[0].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValuationError, match=paths[0].name):
        read_processed(tmp_path / "out")
