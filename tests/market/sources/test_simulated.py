from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pokewatch.errors import SettingsError, SourceError
from pokewatch.market.lake import Lake
from pokewatch.market.prices import PRICE_SCHEMA
from pokewatch.market.sources import Source
from pokewatch.market.sources.simulated import SimulatedSource
from pokewatch.market.sources.simulated_process import Regime

START = date(2024, 3, 1)


def days(count: int, start: date = START) -> list[date]:
    return [start + timedelta(days=k) for k in range(count)]


def table(source: SimulatedSource, asked: list[date]) -> pa.Table:
    return pa.concat_tables(batch.prices for batch in source.prices(asked))


def test_rows_are_price_rows_labelled_simulated() -> None:
    source: Source = SimulatedSource(cards=200, seed=3)
    (batch,) = source.prices(days(3))
    assert batch.prices.schema.equals(PRICE_SCHEMA)
    assert batch.days == tuple(days(3))
    assert batch.rejected.num_rows == 0
    assert pc.unique(batch.prices["source"]).to_pylist() == ["simulated"]
    assert pc.unique(batch.prices["currency"]).to_pylist() == ["USD"]
    assert batch.prices["observed_at"][0].as_py() == datetime(2024, 3, 2, 2, tzinfo=UTC)
    assert pc.min(batch.prices["market_price"]).as_py() >= 0.01
    assert set(batch.prices["card_id"].to_pylist()) <= set(source.catalog()["card_id"].to_pylist())


def test_a_day_does_not_depend_on_what_else_is_asked() -> None:
    whole = table(SimulatedSource(300, 7), days(20))
    source = SimulatedSource(300, 7)
    for asked in (days(20)[12:15], days(20)[3:4], days(20)[4:6], days(20)[19:]):
        expected = whole.filter(pc.is_in(whole["date"], pa.array(asked)))
        assert table(source, asked).equals(expected)


def test_interleaved_walks_do_not_disturb_each_other() -> None:
    source = SimulatedSource(300, 7)
    walk = source.prices(days(5))
    fair = source.true_fair(days(5))
    assert pa.concat_tables(batch.prices for batch in walk).equals(
        table(SimulatedSource(300, 7), days(5))
    )
    assert fair.equals(SimulatedSource(300, 7).true_fair(days(5)))


@pytest.mark.parametrize(
    "other", [SimulatedSource(300, 8), SimulatedSource(301, 7)], ids=["seed", "cards"]
)
def test_seed_and_size_make_another_market(other: SimulatedSource) -> None:
    source = SimulatedSource(300, 7)
    assert source.lake_name != other.lake_name
    assert not table(source, days(2)).equals(table(other, days(2)))


def test_planted_changes_make_a_lake_of_their_own() -> None:
    planted = SimulatedSource(300, 7, [Regime("freeze", START)])
    assert planted.lake_name.startswith("simulated-300-7-")
    assert SimulatedSource(300, 7).lake_name == "simulated-300-7"
    assert (
        SimulatedSource(300, 7, [Regime("freeze", START, set_id="sim001")]).lake_name
        != planted.lake_name
    )


def test_the_true_fair_price_is_what_quotes_scatter_around() -> None:
    source = SimulatedSource(2000, 0)
    quotes = table(source, days(30)).select(["card_id", "date", "market_price", "volume"])
    both = quotes.join(
        source.true_fair(days(30)), ["card_id", "date"], join_type="inner"
    ).drop_null()
    assert both.num_rows > 0.99 * quotes.num_rows
    fresh = both.filter(pc.greater(both["volume"], 0))
    gap = np.log(fresh["market_price"].to_numpy() / fresh["fair_price"].to_numpy())
    assert abs(np.median(gap)) < 0.003
    assert 0.005 < np.median(np.abs(gap)) < 0.05


def test_large_asks_come_in_batches_of_whole_days() -> None:
    batches = list(SimulatedSource(30_000, 0).prices(days(14)))
    assert len(batches) == 2
    assert [day for batch in batches for day in batch.days] == days(14)
    assert all(
        set(batch.prices["date"].unique().to_pylist()) == set(batch.days) for batch in batches
    )


@pytest.mark.parametrize("day", [date(2023, 12, 31), date(9999, 1, 1)], ids=str)
def test_a_day_outside_the_market_is_a_source_error(day: date) -> None:
    with pytest.raises(SourceError, match=rf"simulated: simulated-5-0: no prices for {day}"):
        list(SimulatedSource(5).prices([day]))


def test_available_ends_yesterday() -> None:
    first, last = SimulatedSource(5).available()
    assert first == date(2024, 1, 1)
    assert datetime.now(UTC).date() - last <= timedelta(days=2)


@pytest.mark.parametrize(
    ("cards", "seed", "named"), [(0, 0, "cards"), (10, -1, "seed"), (10, 1 << 63, "seed")]
)
def test_arguments_out_of_range_are_named(cards: int, seed: int, named: str) -> None:
    with pytest.raises(
        SettingsError, match=f"^--{named} {cards if named == 'cards' else seed}: use a number from"
    ):
        SimulatedSource(cards, seed)


def test_the_lake_takes_its_days_and_a_rerun_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    lake, source = Lake(tmp_path_factory.mktemp("lake")), SimulatedSource(100, 1)
    prices = table(source, days(1))
    assert lake.write_catalog(source.catalog())
    assert lake.write_day(START, prices)
    assert not lake.write_day(START, table(SimulatedSource(100, 1), days(1)))
