"""Files with several quotes of a card and day."""

from datetime import UTC, date, datetime, time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pokewatch.market.tabular.sheet import TableError
from pokewatch.market.tabular.summary import summary
from tests.market.tabular.tables import found, read, table_of
from tests.market.tabular.workbook import Cell, write_workbook

LAST_OF_BOTH = [("a-1", "2026-09-13", 12.5), ("a-1", "2026-09-14", 13.0)]
FORMS = {
    "stamps": """card_id,timestamp,price
a-1,2026-09-13T10:00:00Z,9
a-1,2026-09-13T23:59:59Z,12.5
a-1,2026-09-13T11:00:00Z,11
a-1,2026-09-14T00:00:00Z,13
""",
    "fractions of a second": """card_id,date,price
a-1,2026-09-13 10:00:00.25,9
a-1,2026-09-13 10:00:00.75,12.5
a-1,2026-09-13 10:00:00.5,11
a-1,2026-09-14 00:00:00.1,13
""",
    "another zone": """card_id,date,price
a-1,2026-09-14T01:59:00+02:00,12.5
a-1,2026-09-13T23:00:00+02:00,9
a-1,2026-09-14T02:00:00+02:00,13
""",
    "times beside days of one time": """card_id,date,time,price
a-1,2026-09-13 10:00,12:30,12.5
a-1,2026-09-13 10:00,09:00,9
a-1,2026-09-13 09:59,23:00,11
a-1,2026-09-14 10:00,01:00,13
""",
    "seconds since 1970": """card_id,date,price
a-1,1789336800,12.5
a-1,1789293600,9
a-1,1789344000,13
""",
    "fractions of seconds since 1970": """card_id,date,price
a-1,1789336800.75,12.5
a-1,1789336800.25,9
a-1,1789344000.5,13
""",
    "month first, twelve hours": """card_id,date,price
a-1,9/13/2026 9:05 PM,12.5
a-1,9/13/2026 9:05 AM,9
a-1,9/14/2026 12:30 AM,13
""",
    "a column of times": """card_id,date,time,price
a-1,13.09.2026,9:05 PM,12.5
a-1,13.09.2026,9:05 AM,9
a-1,14.09.2026,00:30,13
""",
    "a time in a zone": """card_id,date,time,price
a-1,2026-09-13,15:00-05:00,12.5
a-1,2026-09-13,14:00-05:00,9
a-1,2026-09-13,21:00-05:00,13
""",
    "a column of hours": """card_id,date,hour,price
a-1,2026-09-13,23,12.5
a-1,2026-09-13,9,9
a-1,2026-09-14,0,13
""",
    "stamps and their hours": """card_id,date,hour,price
a-1,2026-09-13 23:00:00,23,12.5
a-1,2026-09-13 13:00:00,13,9
a-1,2026-09-14 00:00:00,0,13
""",
    "stamps and their local times": """card_id,date,time,price
a-1,2026-09-14T01:30:00+02:00,01:30,12.5
a-1,2026-09-13T23:00:00+02:00,23:00,9
a-1,2026-09-14T15:00:00+02:00,?,13
""",
    "days of Excel with times": """card_id,date,time,price
a-1,46278.75,18:00,12.5
a-1,46278.5,12:00,9
a-1,46279,1:00,13
""",
    "days in a zone and times": """card_id,date,time,price
a-1,2026-09-13T00:00:00+02:00,23:00,12.5
a-1,2026-09-13T00:00:00+02:00,9:00,9
a-1,2026-09-14T00:00:00+02:00,12:00,13
""",
    "days and stamps": """card_id,date,fetched_at,price
a-1,2026-09-13,2026-09-13T23:00:01Z,12.5
a-1,2026-09-13,2026-09-13T09:00:01Z,9
a-1,2026-09-14,2026-09-14T09:00:01Z,13
""",
    "the last row has no price": """card_id,date,price,low
a-1,2026-09-13 10:00,9,
a-1,2026-09-13 11:00,12.5,
a-1,2026-09-13 12:00,-,8
a-1,2026-09-13 13:00,no,
a-1,2026-09-14 10:00,13,
""",
    "a column of each time": """card_id,2026-09-13 09:00,2026-09-13 21:00,2026-09-14 09:00
a-1,9,12.5,13
""",
}


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_the_last_quote_of_a_day_counts(tmp_path: Path, content: str) -> None:
    table = read(tmp_path, content)
    assert found(table) == LAST_OF_BOTH
    refused = table.rejected["reason"].to_pylist()
    assert refused == (["market_price is not a number"] if ",no," in content else [])
    assert "the last of each UTC day is kept" in "\n".join(summary(table))


def test_the_report_counts_the_quotes_of_a_day(tmp_path: Path) -> None:
    rows = [
        f"{card},2026-09-{day:02d}T{hour:02d}:05:00Z,{1 + hour / 100:.2f}"
        for day in (13, 14, 15)
        for hour in range(24)
        for card in ("a-1", "b-1")
    ]
    table = read(tmp_path, "\n".join(["card_id,date,price", *rows, rows[-1]]))
    assert {price for _, _, price in found(table)} == {1.23}
    assert len(found(table)) == 6
    assert list(table.merged()) == [
        "up to 24 quotes a day, the last of each UTC day is kept (earlier rows not used: 138)",
        "rows merged with one that has all of their values: 1",
    ]


def test_typed_moments_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    moments = [datetime(2026, 9, 13, hour, tzinfo=UTC) for hour in (9, 23, 12)]
    table = {"card_id": ["a-1"] * 3, "date": moments, "market_price": [9.0, 12.5, 11.0]}
    pq.write_table(pa.table(table), path)
    assert found(table_of(path)) == LAST_OF_BOTH[:1]
    hours = pa.table(table | {"hour": [moment.hour for moment in moments]})
    for zone in ("UTC", "Europe/Berlin"):
        stamps = pa.array(moments, pa.timestamp("ns", zone))
        pq.write_table(hours.set_column(1, "date", stamps), path)
        assert found(table_of(path)) == LAST_OF_BOTH[:1]
    days = {"date": [date(2026, 9, 13)] * 3, "time": [time(9), time(23), time(12)]}
    pq.write_table(pa.table(table | days), path)
    assert found(table_of(path)) == LAST_OF_BOTH[:1]


def test_cells_of_times_in_a_workbook_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "prices.xlsx"
    rows: list[list[Cell]] = [
        ["card_id", "date", "time", "price"],
        ["a-1", "2026-09-13", 0.375, 9.0],
        ["a-1", "2026-09-13", 0.96, 12.5],
        ["a-1", "2026-09-13", 0.5, 11.0],
    ]
    write_workbook(path, {"prices": rows})
    assert found(table_of(path)) == LAST_OF_BOTH[:1]


def test_quotes_of_one_moment_that_differ_contradict_each_other(tmp_path: Path) -> None:
    content = """card_id,date,price
a-1,2026-09-13 10:00,9
a-1,2026-09-13 11:00,12
a-1,2026-09-13 11:00,13
a-1,2026-09-14 11:00,13
"""
    table = read(tmp_path, content)
    assert found(table) == LAST_OF_BOTH[1:]
    assert set(table.rejected["reason"].to_pylist()) == {
        "another row gives this card another price for the day"
    }


@pytest.mark.parametrize(
    ("column", "values"), [("card_condition", ("NM", "LP")), ("shop", ("eBay", "TCGplayer"))]
)
def test_a_column_that_the_key_lacks_is_named_whatever_the_times(
    tmp_path: Path, column: str, values: tuple[str, str]
) -> None:
    content = f"""card_id,date,{column},price
b-1,2026-09-13 10:00:00,{values[0]},3
b-1,2026-09-13 11:00:00,{values[0]},4
a-1,2026-09-13 10:00:01,{values[0]},9
a-1,2026-09-13 10:00:02,{values[1]},8
"""
    with pytest.raises(TableError) as raised:
        read(tmp_path, content)
    assert f"line 4: card a-1 has several rows for 2026-09-13, which the column {column!r}" in str(
        raised.value
    )
    assert f"{values[0]} at 9, {values[1]} at 8" in str(raised.value)
    by_key = read(tmp_path, content, key=(column,))
    assert {price for _, _, price in found(by_key)} == {9, 8, 4}
    assert by_key.superseded == 1


def test_addresses_are_no_key(tmp_path: Path) -> None:
    content = """card_id,date,source_url,price
a-1,2026-09-13 10:00,https://example.com/1,9
a-1,2026-09-13 11:00,https://example.com/2,12.5
"""
    assert found(read(tmp_path, content)) == LAST_OF_BOTH[:1]


def test_a_time_that_cannot_be_read_is_not_taken_for_an_early_one(tmp_path: Path) -> None:
    content = """card_id,date,time,price
a-1,2026-09-13,10:00,12.5
a-1,2026-09-13,99:99,9
a-1,2026-09-13,tonight,8
a-1,2026-09-14,noon,13
"""
    table = read(tmp_path, content)
    assert found(table) == LAST_OF_BOTH
    reason = "time is not a time of day like 10:05, and the card has other rows that day"
    assert table.rejected["reason"].to_pylist() == [reason, reason]
    assert list(table.merged()) == []


def test_a_column_of_times_that_are_none_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    table = {"card_id": ["a-1"], "date": [date(2026, 9, 13)], "market_price": [12.5]}
    for time_cell in ({"hour": 1}, b"\xff"):
        pq.write_table(pa.table(table | {"time": [time_cell]}), path)
        assert found(table_of(path)) == LAST_OF_BOTH[:1]


def test_a_moment_beyond_all_calendars_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    moments = pa.array([2**60, 1789257600000000], pa.timestamp("us"))
    pq.write_table(
        pa.table({"card_id": ["a-1", "a-1"], "date": moments, "market_price": [9.0, 12.5]}), path
    )
    table = table_of(path)
    assert found(table) == LAST_OF_BOTH[:1]
    (row,) = table.rejected["row"].to_pylist()
    assert str(2**60) in row


def test_a_column_that_holds_no_times_says_nothing_about_the_order(tmp_path: Path) -> None:
    rows = "a-1,2026-09-13,soon,12.5\na-1,2026-09-13,later,12.5\n"
    table = read(tmp_path, f"card_id,date,time,price\n{rows}")
    assert found(table) == LAST_OF_BOTH[:1]
    assert (table.repeated, table.rejected.num_rows) == (1, 0)


def test_one_price_in_two_currencies_is_not_repeated(tmp_path: Path) -> None:
    table = read(tmp_path, "card_id,date,price\na-1,2026-09-13,$12.5\na-1,2026-09-13,€12.5\n")
    assert (found(table), table.repeated, table.rejected.num_rows) == ([], 0, 2)
    rows = "a-1,2026-09-13,12.5,USD\na-1,2026-09-13,12.5,EUR\n"
    with pytest.raises(TableError, match="keep the rows in USD or EUR"):
        read(tmp_path, f"card_id,date,price,currency\n{rows}")


@pytest.mark.parametrize("day", ["2026-09-13", "2026-09-13 10:00"])
def test_rows_in_two_currencies_are_no_cards_of_their_own(tmp_path: Path, day: str) -> None:
    rows = f"a-1,{day},$12,TCGplayer\na-1,2026-09-13,€9,Cardmarket\n"
    with pytest.raises(TableError) as raised:
        read(tmp_path, f"card_id,date,price,shop\n{rows}")
    assert str(raised.value) == (
        "line 2: card a-1 has several rows for 2026-09-13, which the column 'shop' distinguishes: "
        "TCGplayer at 12, Cardmarket at 9; keep the rows in USD or EUR: they cannot be compared"
    )


@pytest.mark.parametrize("rows", [("12.5,3,", "12.5,,"), (",3,", "12.5,3,"), ("12.5,3,", ",,")])
def test_a_row_that_only_lacks_values_of_another_contradicts_nothing(
    tmp_path: Path, rows: tuple[str, str]
) -> None:
    lines = "".join(f"a-1,2026-09-13,{row}\n" for row in rows)
    table = read(tmp_path, f"card_id,date,price,volume,low\n{lines}")
    assert found(table) == LAST_OF_BOTH[:1]
    assert table.prices["volume"].to_pylist() == [3]
    assert (table.repeated, table.left_out) == (1, ())


@pytest.mark.parametrize("rows", [("12.5,3", "12.5,4"), ("12.5,", ",3")])
def test_rows_of_which_none_has_all_values_contradict_each_other(
    tmp_path: Path, rows: tuple[str, str]
) -> None:
    lines = "".join(f"a-1,2026-09-13,{row}\n" for row in rows)
    table = read(tmp_path, f"card_id,date,price,volume\n{lines}")
    assert (found(table), table.rejected.num_rows) == ([], 2)


@pytest.mark.parametrize(
    ("column", "one", "other"),
    [
        ("edition", "1st", "Unlimited"),
        ("set", "Base Set", "Jungle"),
        ("rarity", "Holo Rare", "Common"),
        ("number", "4/102", "4/130"),
    ],
)
def test_a_column_that_describes_the_card_may_be_what_the_key_lacks(
    tmp_path: Path, column: str, one: str, other: str
) -> None:
    rows = f"a-1,{one},2026-09-13,9\na-1,{other},2026-09-13,90\n"
    with pytest.raises(TableError, match=f"column '{column}' distinguishes: {one} at 9"):
        read(tmp_path, f"id,{column},date,price\n{rows}")


def test_the_id_of_another_card_in_one_row_costs_the_rows_of_both(tmp_path: Path) -> None:
    rows = [f"a-{at},{at}/200,2026-09-13,{at}\n" for at in range(1, 61)]
    rows[1] = "a-1,2/200,2026-09-13,2\n"
    table = read(tmp_path, f"card_id,number,date,price\n{''.join(rows)}")
    assert table.prices.num_rows == 58
    assert set(table.rejected["card_id"].to_pylist()) == {"a-1"}


def test_a_column_that_the_key_lacks_is_named_though_a_row_lacks_its_price(tmp_path: Path) -> None:
    rows = "a-1,2026-09-13,NM,12.5\na-1,2026-09-13,LP,\n"
    with pytest.raises(TableError, match="POKEWATCH_FILE_KEY=condition"):
        read(tmp_path, f"card_id,date,condition,price\n{rows}")


@pytest.mark.parametrize(
    ("column", "one", "other"),
    [
        ("grade", "Raw", "PSA 10"),
        ("grade", "", "PSA 10"),
        ("grade", "PSA 1", "PSA 10"),
        ("card_condition", "NM", "LP"),
        ("Language", "English", "Japanese"),
        ("variant", "Normal", "Reverse Holofoil"),
        ("printing", "Normal", "Holofoil"),
        ("subTypeName", "Normal", "Holofoil"),
        ("is_foil", "false", "true"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_copies_of_another_kind_do_not_continue_a_history(
    tmp_path: Path, column: str, one: str, other: str, turned: bool
) -> None:
    one, other = (other, one) if turned else (one, other)
    rows = f"a-1,{one},2026-09-12,9\na-1,{one},2026-09-13,9\na-1,{other},2026-09-14,90\n"
    content = f"card_id,{column},date,price\n{rows}b-1,{other},2026-09-14,8\n"
    with pytest.raises(TableError) as raised:
        read(tmp_path, content)
    assert str(raised.value) == (
        f"line 4: card a-1 has {one or 'nothing'} at 9 on 2026-09-12, and {other or 'nothing'} at "
        f"90 on 2026-09-14 in the column {column!r}; treat each as a card: "
        f"POKEWATCH_FILE_KEY={column}; or keep the rows of one"
    )
    assert len(set(read(tmp_path, content, key=(column,)).prices["card_id"].to_pylist())) == 3


@pytest.mark.parametrize(
    ("column", "one", "other"),
    [
        ("condition", "NM", "Near Mint"),
        ("condition", "", "NM"),
        ("grade", "10", "10.0"),
        ("foil", "yes", "Y"),
        ("language", "EN", "english"),
        ("printing", "Holo", "Holofoil"),
        ("printing", "Reverse Holo", "reverse holofoil"),
        ("printing", "1st Edition", "1st Edition Holofoil"),
        ("shop", "eBay", "TCGplayer"),
        ("foil_price", "1.5", "2.5"),
        ("grade_population", "3", "4"),
        ("Grade 9", "120", "125.5"),
        ("foil", "3.10", "3.45"),
        ("foil", "$3", "$4"),
        ("foil", "1,234.50", "1,250.00"),
        ("foil listings", "3", "4"),
        ("grade_date", "2026-09-13", "2026-09-14"),
        ("condition notes", "a dent", "clean"),
        ("condition", "unknown", "NM"),
        ("variant", "N/A", "Normal"),
        ("grade", "", "N/A"),
        ("grade", "", "Ungraded"),
        ("grade", "Raw", "0"),
    ],
)
def test_one_kind_in_several_words_continues_it(
    tmp_path: Path, column: str, one: str, other: str
) -> None:
    rows = f"a-1;{one};2026-09-13;12.5\na-1;{other};2026-09-14;13\n"
    table = read(tmp_path, f"card_id;{column};date;price\n{rows}")
    assert found(table) == LAST_OF_BOTH


PLACES = {
    "sets": ("Card,Set", "Pikachu,Base Set", "Pikachu,Jungle", "Set"),
    "numbers": ("Card,Set,No,Number", "Pikachu,Base,1,58/102", "Pikachu,Base,1,60/64", "Number"),
    "sets of one number": ("Card,Set,Number", "Mew,Base Set,4", "Mew,Base Set 2,4", "Set"),
    "print runs": ("Card,Set", "Mew,Base Set", "Mew,Base Set (Shadowless)", "Set"),
    "German": ("Karte,Erweiterung", "Glurak,Basis", "Glurak,Fossil", "Erweiterung"),
}


@pytest.mark.parametrize("other_day", ["2026-09-13", "2026-09-14"])
@pytest.mark.parametrize(("header", "one", "other", "column"), PLACES.values(), ids=PLACES)
def test_cards_of_one_name_are_told_apart(
    tmp_path: Path, header: str, one: str, other: str, column: str, other_day: str
) -> None:
    content = f"{header},date,price\n{one},2026-09-13,9\n{other},{other_day},90\n"
    with pytest.raises(TableError, match=f"in|distinguishes.*POKEWATCH_FILE_KEY={column}"):
        read(tmp_path, content)
    assert len(set(read(tmp_path, content, key=(column,)).prices["card_id"].to_pylist())) == 2


@pytest.mark.parametrize(
    ("header", "one", "other"),
    [
        ("card_id,set", "a-1,Base Set", "a-1,Jungle"),
        ("card,set", "a-1,151", "a-1,SV: Scarlet & Violet 151"),
        ("card,number", "a-1,4", "a-1,004/102"),
        ("card,number", "a-1,SWSH001", "a-1,SWSH1"),
        ("card,number", "a-1,TG05/TG30", "a-1,TG5"),
        ("card_id,edition", "a-1,Stellar Crown", "a-1,SV07: Stellar Crown"),
    ],
)
def test_one_card_in_other_words_is_one(tmp_path: Path, header: str, one: str, other: str) -> None:
    rows = f"{one},2026-09-13,12.5\n{other},2026-09-14,13\n"
    assert found(read(tmp_path, f"{header},date,price\n{rows}")) == LAST_OF_BOTH


def test_names_that_contradict_each_other_cost_only_their_rows(tmp_path: Path) -> None:
    content = "idProduct,name,date,price\n1,Glurak,2026-09-13,9\n1,Charizard,2026-09-13,90\n"
    table = read(tmp_path, f"{content}2,Mew,2026-09-13,12.5\n")
    assert [(day, price) for _, day, price in found(table)] == [("2026-09-13", 12.5)]


def test_what_is_zero_or_false_in_a_typed_column_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    days = pa.array([date(2026, 9, 13)] * 2)
    pq.write_table(pa.table({"card_id": ["a", "b"], "date": days, "price": [3.0, 0.0]}), path)
    (left_out,) = table_of(path).left_out
    assert str(left_out) == "1 row left out: market_price is not above 0 (first in line 2: '0.0')"
    table = {"card_id": ["a", "a"], "date": days, "price": [3.0, 4.0], "is_foil": [False, True]}
    pq.write_table(pa.table(table), path)
    with pytest.raises(TableError, match="False at 3, True at 4"):
        table_of(path)
