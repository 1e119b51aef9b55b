"""Days and times of rows as programs and countries write them."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pokewatch.market.tabular.sheet import TableError
from tests.market.tabular.tables import A_12, found, read, table_of
from tests.market.tabular.workbook import write_workbook


@pytest.mark.parametrize("hours", [-10, 0, 2, 13])
def test_a_stamp_with_a_zone_is_its_utc_day(tmp_path: Path, hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    stamp = datetime(2026, 9, 13, 0, 30, tzinfo=UTC).astimezone(zone)
    path = tmp_path / "prices.parquet"
    kind = pa.timestamp("us", tz=f"{hours:+03d}:00")
    stamps = pa.array([int(stamp.timestamp()) * 1_000_000]).cast(kind)
    table = pa.table({"card_id": ["a-1"], "date": stamps, "market_price": [12.5]})
    pq.write_table(table, path)
    text = read(tmp_path, f"card_id,date,market_price\na-1,{stamp.isoformat()},12.5\n")
    assert found(table_of(path)) == found(text) == A_12


@pytest.mark.parametrize(
    "cell",
    [
        "13. 9. 2026",
        "2026. 09. 13.",
        "2026\u201309\u201313",
        "13/Sep/2026",
        "2026-Sep-13",
        "13Sep2026",
        "13 сентября 2026",
        "13th of September 2026",
        "13er septembre 2026",
        "13\u00ba de setembro de 2026",
        "13\u00b0 settembre 2026",
        "13 de septiembre del 2026",
        "13.9.2026, 10:00 Uhr",
        "13.09.2026 um 10:00 Uhr",
        "September 13, 2026 at 10:00\u202fPM",
        "13/09/2026 22h05",
        "13/9/2026 11:30:00 p.\u00a0m.",
        "20260913T233000Z",
        "20260914T0030+0200",
        "2026-09-12 23:30 EST",
        "2026-09-14 00:30 CEST",
        "2026-09-14T00:30+02:00[Europe/Berlin]",
        "2026-09-14 00:30 UTC+2",
        "2026-09-14 00:30 UTC+530",
        "2026-09-14 00:30 UTC+5:30",
        "Mon Sep 14 2026 00:30:00 GMT+0200 (Central European Summer Time)",
        "Sun Sep 13 23:30:00 2026",
        "Sat Sep 12 23:30:00 PDT 2026",
        "20260913.0",
        "1789257600000.0",
        "1789257600,5",
        "46278.0",
        "46278,4375",
        "20260913,0",
        "1789257600000,0",
    ],
)
def test_a_day_or_time_as_programs_write_it(tmp_path: Path, cell: str) -> None:
    assert found(read(tmp_path, f'card_id,date,price\na-1,"{cell}",12.5\n')) == A_12


@pytest.mark.parametrize("cell", ["2026-09-13 10:00 BST", "13 listopada 2026", "2026-09-13T24:00"])
def test_a_day_that_has_several_meanings_is_left_out(tmp_path: Path, cell: str) -> None:
    table = read(tmp_path, f"card_id,date,price\na-1,2026-09-13,12.5\nb,{cell},1\n")
    assert found(table) == A_12
    assert str(table.left_out[0]).endswith(
        f"date is not a day like 2025-10-22 (first in line 3: {cell!r})"
    )


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (("26-09-13", "26-09-14"), "2013-09-26 or 2026-09-13.*'26-09-13'.*DATES=dmy or ymd, or"),
        (("13/09/13", "13/09/14"), "2013-09-14 or 2014-09-13.*'13/09/14'.*DATES=dmy or ymd, or"),
        (("01/02/03", "01/02/04"), "'01/02/03'.*DATES=dmy or mdy or ymd, or"),
    ],
)
def test_the_orders_that_a_column_leaves_open_are_named(
    tmp_path: Path, cells: tuple[str, str], message: str
) -> None:
    with pytest.raises(TableError, match=message):
        read(tmp_path, "card_id,date,price\n" + "".join(f"a-1,{cell},9\n" for cell in cells))


@pytest.mark.parametrize("cards", [12, 60])
@pytest.mark.parametrize(
    ("form", "stray"),
    [
        ("%Y-%m-%d", "1/2/2026"),
        ("%d.%m.%Y", "26-09-13"),
        ("%m/%d/%Y", "13/09/2026"),
        ("%d/%m/%Y", "09/13/2026"),
    ],
)
def test_one_day_in_another_order_costs_its_row(
    tmp_path: Path, form: str, stray: str, cards: int
) -> None:
    days = [date(2026, 9, 13) + timedelta(days=number) for number in range(6)]
    rows = [f"a-{card},{day.strftime(form)},9\n" for day in days for card in range(cards)]
    rows[30] = f"a-30,{stray},9\n"
    table = read(tmp_path, f"card_id,date,price\n{''.join(rows)}")
    assert table.prices.num_rows == len(rows) - 1
    assert [str(each) for each in table.left_out] == [
        f"1 row left out: date is not a day like 2025-10-22 (first in line 32: {stray!r})"
    ]


@pytest.mark.parametrize("first", [9, 26])
def test_dates_whose_day_and_month_a_spreadsheet_exchanged_are_refused(
    tmp_path: Path, first: int
) -> None:
    """Opened in another language: 9/10/2026 becomes 10 September, and 26/9/2026 stays text."""
    days = [date(2026, 9, 6) + timedelta(days=number) for number in range(first)]
    cells = [
        date(day.year, day.day, day.month) if day.day <= 12 else f"{day:%d/%m/%Y}" for day in days
    ]
    path = tmp_path / "p.xlsx"
    write_workbook(
        path, {"A": [["card_id", "date", "price"], *[["a", cell, 3.0] for cell in cells]]}
    )
    if first == 9:  # two texts, which may be so by chance
        assert found(table_of(path))
        return
    with pytest.raises(
        TableError, match=r"line 9: date holds dates of days 1 to 12 .*'13/09/2026'"
    ):
        table_of(path)
    assert found(table_of(path, dates="dmy"))
