from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from pokewatch.errors import ValuationError
from pokewatch.market.collect import collect, requested_days
from pokewatch.market.lake import Lake
from pokewatch.market.sources.file import FileSource
from pokewatch.settings import SourceSettings
from pokewatch.valuation.panel_file import read_panel
from tests.valuation.panels import long_table, market_like


def test_files_are_read_by_their_kind(tmp_path: Path) -> None:
    table = long_table(market_like(6, 3))
    pq.write_table(table, tmp_path / "prices.parquet")
    pyarrow.csv.write_csv(table, tmp_path / "prices.csv")
    one, other = read_panel(tmp_path / "prices.parquet"), read_panel(tmp_path / "prices.csv")
    np.testing.assert_array_equal(one.market, other.market)
    with pytest.raises(ValuationError, match=r"none\.parquet"):
        read_panel(tmp_path / "none.parquet")


def test_evaluating_and_collecting_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "PRICES.CSV"
    rows = [
        "Karte;Datum;Preis (€);Tief",
        "a-1;13.09.2026;12,50 €;0",
        "a-1;14.09.2026;13,00 €;12",
        "b-2;14.09.2026;-;",
        "b-2;15.09.2026;7,25 €;7",
        "Summe;;32,75 €;",
    ]
    path.write_bytes("\n".join(rows).encode("cp1252"))
    panel = read_panel(path)
    collected = FileSource(SourceSettings.read(), path).table.prices.to_pylist()
    assert {
        (card, str(day)): float(panel.market[at, number])
        for number, card in enumerate(panel.card_id)
        for at, day in enumerate(panel.dates)
        if np.isfinite(panel.market[at, number])
    } == {(row["card_id"], str(row["date"])): row["market_price"] for row in collected}
    assert panel.currency.tolist() == ["EUR", "EUR"]


def test_evaluating_leaves_out_what_collecting_leaves_out(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    rows = ["card_id,date,market_price,low_price"]
    rows += [f"card-{card},2026-01-01,{price}" for card, price in enumerate(("5,99999", "6,4"))]
    rows += ["card-2,2026-01-01,1e9,3", "card-3,2026-01-01,7,5e6"]
    path.write_text("\n".join(rows))
    warnings: list[str] = []
    panel = read_panel(path, warnings.append)
    lake = Lake(tmp_path / "lake")
    collect(FileSource(SourceSettings.read(), path), lake, [date(2026, 1, 1)])
    collected = lake.day(date(2026, 1, 1)).to_pydict()
    assert panel.card_id.tolist() == collected["card_id"] == ["card-0", "card-1", "card-3"]
    assert panel.low is not None
    np.testing.assert_array_equal(panel.low[0], [np.nan, 4.0, np.nan])
    assert collected["low_price"] == [None, 4.0, None]
    assert (
        "1 row left out: market_price is not a price up to 1,000,000 "
        "(first: card-2 on 2026-01-01: '1000000000.0')"
    ) in warnings
    assert "low_price is 99,999, which means none listed: left empty (1)" in warnings


def _changed(column: str, value: str) -> list[str]:
    """Lines of 12 cards and 20 days, of which the last 8 days differ in a column."""
    cells = {"price": "{price}", "currency": "USD"}
    return ["card_id,date,price,currency"] + [
        ",".join(
            [
                f"card-{card:02}",
                f"2026-01-{day:02}",
                *({**cells, column: value} if day > 12 else cells).values(),
            ]
        ).format(price=f"{10 + card + day / 10:.2f}", cents=f"{1000 + 100 * card + 10 * day}")
        for card in range(12)
        for day in range(1, 21)
    ]


@pytest.mark.parametrize(
    ("column", "value", "check"),
    [("price", "{cents}", "level is a factor of"), ("currency", "EUR", "currencies is 2")],
)
def test_days_that_a_collection_would_hold_back_are_named(
    tmp_path: Path, column: str, value: str, check: str
) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(_changed(column, value)))
    warnings: list[str] = []
    panel = read_panel(path, warnings.append)
    assert len(panel.dates) == 20
    lake, source = Lake(tmp_path / "lake"), FileSource(SourceSettings.read(), path)
    report = collect(source, lake, requested_days(source, None, None, None))
    assert (len(lake.days()), len(report.held)) == (12, 8)
    (warning,) = [each for each in warnings if each.startswith("a collection")]
    assert warning.startswith(f"a collection would hold back 8 of 20 days: {check}")


def test_a_file_of_prices_that_are_all_too_high_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("card_id,date,price\na,2026-01-01,1e9\n")
    with pytest.raises(ValuationError, match=r"no row that can be used: every price is too high"):
        read_panel(path)


def test_rows_and_cells_that_are_left_out_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    rows = ["card_id,date,market_price,volume"]
    rows += ["a-1,2026-01-01,5,many", "a-1,2026-01-02,-3,1", "a-1,2026-01-03,cheap,1"]
    path.write_text("\n".join(rows))
    warnings: list[str] = []
    panel = read_panel(path, warnings.append)
    assert panel.days == 1
    assert sorted(warnings)[-3:] == [
        "prices.csv: 1 row left out: market_price is not a number (first in line 4: 'cheap')",
        "prices.csv: 1 row left out: market_price is not above 0 (first in line 3: '-3')",
        "prices.csv: volume is not a number: left empty in 1 row (first in line 2: 'many')",
    ]


def test_averages_of_sales_are_read_and_are_none_where_there_are_none(tmp_path: Path) -> None:
    path = tmp_path / "cardmarket.csv"
    rows = ["card_id,date,trend,avg7,avg30", "a-1,2026-01-01,5,4.5,0", "a-1,2026-01-02,5,,4"]
    path.write_text("\n".join(rows))
    panel = read_panel(path)
    assert panel.avg7 is not None
    assert panel.avg30 is not None
    np.testing.assert_array_equal(panel.avg7[:, 0], [4.5, np.nan])
    np.testing.assert_array_equal(panel.avg30[:, 0], [np.nan, 4.0])
    path.write_text("\n".join(row.rsplit(",", 2)[0] for row in rows))
    assert (read_panel(path).avg7, read_panel(path).avg30) == (None, None)


def test_ages_that_are_no_whole_days_are_unknown_and_cost_no_price(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    ages = ("0", "-1", "2.5", "3", "")
    rows = [f"a-1,2026-01-0{day},5,{age}" for day, age in enumerate(ages, 1)]
    path.write_text("\n".join(["card_id,date,trend,stale_days", *rows]))
    panel = read_panel(path)
    assert panel.stale is not None
    np.testing.assert_array_equal(panel.stale[:, 0], [0, np.nan, np.nan, 3, np.nan])
    assert (np.asarray(panel.market) == 5).all()


def test_a_file_without_a_usable_row_says_why(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("card_id,date,price\na-1,soon,1\n")
    with pytest.raises(ValuationError, match=r"date is not a day .*first in line 2: 'soon'"):
        read_panel(path)
