"""Files as people sent them, each made again here: what they give, and what is reported."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pokewatch.errors import SourceError
from pokewatch.market.collect import collect, requested_days
from pokewatch.market.collect_report import CollectReport
from pokewatch.market.lake import Lake
from pokewatch.market.quality.days import QualityThresholds, check_days, require
from pokewatch.market.sources.file import FileSource
from pokewatch.settings import SourceSettings

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAYS = [date(2026, 9, 26) + timedelta(days=number) for number in range(20)]
CARDS = [f"card-{number}" for number in range(12)]


def price(card: int, day: int) -> float:
    return round(12.33 + card + 0.2 * (day // 2), 2)


def lines(row: str, day_format: str = "%Y-%m-%d", comma: bool = False) -> list[str]:
    """A line a card and day: `row` has the places {card}, {day} and {price}."""
    return [
        row.format(
            card=card,
            day=day.strftime(day_format),
            price=f"{price(at, number):.2f}".replace(".", "," if comma else "."),
        )
        for at, card in enumerate(CARDS)
        for number, day in enumerate(DAYS)
    ]


def collected(path: Path, **settings: Any) -> tuple[Lake, CollectReport]:
    source = FileSource(SourceSettings.read(**settings), path, now=lambda: NOW)
    lake = Lake(path.parent / "lake")
    return lake, collect(source, lake, requested_days(source, None, None, None))


def text(tmp_path: Path, content: list[str], encoding: str = "utf-8", name: str = "p.csv") -> Path:
    path = tmp_path / name
    path.write_bytes("\n".join([*content, ""]).encode(encoding))
    return path


def assert_all(
    lake: Lake, report: CollectReport, without: tuple[tuple[int, int], ...] = ()
) -> None:
    """Every price is in the lake except those of (card, day) `without`."""
    assert (report.held, lake.days()) == ({}, DAYS)
    for number, day in enumerate(DAYS):
        rows = {row["card_id"]: row["market_price"] for row in lake.day(day).to_pylist()}
        assert {card: value for card, value in rows.items() if value is not None} == {
            card: price(at, number) for at, card in enumerate(CARDS) if (at, number) not in without
        }


PLAIN = ["card_id,date,market_price", *lines("{card},{day},{price}")]


@pytest.mark.parametrize(
    ("content", "encoding", "name"),
    [
        (["Card,Date,Price", *lines('{card},{day},"${price}"', "%m/%d/%Y")], "utf-8-sig", "p.csv"),
        (["card,date,price", *lines("{card},{day},{price}", "%m/%d/%Y")], "utf-8", "p.csv"),
        (
            ["Karte;Datum;Preis (€)", *lines("{card};{day};{price} €", "%d.%m.%Y", comma=True)],
            "cp1252",
            "p.csv",
        ),
        (
            ["sep=;", "card_id;date;market_price", *lines("{card};{day};{price}", comma=True)],
            "utf-8",
            "p.csv",
        ),
        (["card_id\tdate\tmarket_price", *lines("{card}\t{day}\t{price}")], "utf-8", "p.tsv"),
        (PLAIN, "utf-8", "upper.CSV"),
        ([*PLAIN, "Total,,512.30", ""], "utf-8", "p.csv"),
        ([*PLAIN, *PLAIN[-12:]], "utf-8", "p.csv"),
        (
            ["card_id,date,market_price,low_price", *lines("{card},{day},{price},0")],
            "utf-8",
            "p.csv",
        ),
        (
            ["card_id,date,market_price", *lines("{card},{day}T22:30:00+00:00,{price}")],
            "utf-8",
            "p.csv",
        ),
    ],
    ids=[
        "07 excel_us",
        "07 usdate",
        "08 excel_de",
        "08 semicolon_comma",
        "08 tab",
        "11 upper",
        "10 total_row",
        "15 append_twice",
        "03 low_zero",
        "04 datetime_tz",
    ],
)
def test_every_price_is_in_the_lake(
    tmp_path: Path, content: list[str], encoding: str, name: str
) -> None:
    assert_all(*collected(text(tmp_path, content, encoding, name)))


def test_zones_in_parquet_04(tmp_path: Path) -> None:
    stamps = [
        datetime(day.year, day.month, day.day, 22, 30, tzinfo=UTC) for _ in CARDS for day in DAYS
    ]
    values = [price(at, number) for at in range(len(CARDS)) for number in range(len(DAYS))]
    table = pa.table(
        {
            "card_id": [card for card in CARDS for _ in DAYS],
            "date": pa.array(stamps, pa.timestamp("us", tz="Europe/Berlin")),
            "market_price": values,
        }
    )
    pq.write_table(table, tmp_path / "tz.parquet")
    assert_all(*collected(tmp_path / "tz.parquet"))


@pytest.mark.parametrize("cell", ["-", "#N/A", "#REF!", "Loading..."])
def test_one_bad_cell_06(tmp_path: Path, cell: str) -> None:
    content = PLAIN.copy()
    content[1] = f"card-0,{DAYS[0]},{cell}"
    lake, report = collected(text(tmp_path, content))

    assert_all(lake, report, without=((0, 0),))
    assert (
        "p.csv: 1 row left out: market_price is a placeholder, and the row has no other price "
        f"(first in line 2: {cell!r})" in report.warnings
    )
    assert lake.quarantined(DAYS[0])["card_id"].to_pylist() == ["card-0"]


def test_rows_that_say_that_there_is_no_price_or_have_no_date_hold_no_day(tmp_path: Path) -> None:
    missing = [(card, number) for card in range(0, 12, 3) for number in range(len(DAYS))]
    content = PLAIN.copy()
    for card, number in missing:
        content[1 + card * len(DAYS) + number] = f"card-{card},{DAYS[number]},NA"
    lake, report = collected(text(tmp_path, [*content, *["note,,1"] * 20]))

    assert_all(lake, report, without=tuple(missing))
    assert lake.quarantined(DAYS[1]).num_rows == 4
    require(check_days(lake, DAYS, QualityThresholds(), NOW.date()))


def test_a_total_and_repeated_rows_are_reported_10_15(tmp_path: Path) -> None:
    _, report = collected(text(tmp_path, [*PLAIN, PLAIN[-1], "Total,,512.30"]))

    assert "p.csv: rows merged with one that has all of their values: 1" in report.warnings
    assert any(
        "the row is a total, not a card (first in line 243: 'Total')" in each
        for each in report.warnings
    )


def test_two_prices_for_one_card_and_day_11(tmp_path: Path) -> None:
    lake, report = collected(text(tmp_path, [*PLAIN, f"card-0,{DAYS[0]},99.00"]))

    assert_all(lake, report, without=((0, 0),))
    assert report.quarantined == {"another row gives this card another price for the day": 2}
    assert any("(first in line 2: '12.33')" in each for each in report.warnings)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            ["card_id,date,price,price", "a,2026-09-26,1,2"],
            "p.csv: line 1: two columns are called 'price'",
        ),
        (
            [
                "card_id,grade,date,price",
                "a,Ungraded,2026-09-26,12.33",
                "a,PSA 10,2026-09-26,98.64",
            ],
            "p.csv: line 2: card a has several rows for 2026-09-26, which the column 'grade' "
            "distinguishes: Ungraded at 12.33, PSA 10 at 98.64; treat each as a card: "
            "POKEWATCH_FILE_KEY=grade",
        ),
    ],
    ids=["09 dup_header", "14 grade_column"],
)
def test_what_cannot_be_read_is_refused_with_file_line_and_cell(
    tmp_path: Path, content: list[str], message: str
) -> None:
    with pytest.raises(SourceError) as caught:
        collected(text(tmp_path, content))
    assert message in str(caught.value)
