"""Lines that end before the last column, as old versions of Excel leave them."""

from datetime import UTC, date, datetime

import pytest

from pokewatch.market.tabular.column_names import KNOWN
from pokewatch.market.tabular.options import TableOptions
from pokewatch.market.tabular.price_table import PriceTable, read_price_table
from pokewatch.market.tabular.sheet import Sheet, TableError
from pokewatch.market.tabular.snapshot import with_day
from pokewatch.market.tabular.text import read_text
from pokewatch.market.tabular.uneven_lines import length_fault, without_cut_lines

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HEADER = "card_id,date,market_price,low_price,set\n"
NOTE = "ends before the last column (first line 2): the cells that are not there are read as empty"


def sheet_of(lines: str, header: str = HEADER) -> Sheet:
    return read_text(f"{header}{lines}".encode(), KNOWN)


def prices_of(lines: str, header: str = HEADER) -> PriceTable:
    return read_price_table(sheet_of(lines, header), TableOptions(), "file", NOW.date(), NOW)


@pytest.mark.parametrize("line", ["a,2026-09-13,12.5,,", "a,2026-09-13,12.5,", "a,2026-09-13,12.5"])
def test_the_empty_cells_at_the_end_of_a_line_need_not_be_there(line: str) -> None:
    table = prices_of(f"{line}\nb,2026-09-13,7.5,7,Base\n")
    assert [row["market_price"] for row in table.prices.to_pylist()] == [12.5, 7.5]
    assert table.rejected.num_rows == 0
    assert table.notes == (() if line.count(",") == 4 else (f"1 line {NOTE}",))


def test_a_day_that_a_line_lacks_has_no_price() -> None:
    table = prices_of("a,3\nb,7,8\n", "card_id,2026-09-13,2026-09-14\n")
    assert [(row["card_id"], row["date"].day) for row in table.prices.to_pylist()] == [
        ("a", 13),
        ("b", 13),
        ("b", 14),
    ]


def test_notes_beside_a_table_cost_no_row_and_are_mentioned() -> None:
    table = prices_of("a,2026-09-13,12.5,7,Base,from Ann\n", HEADER.replace("\n", ",\n"))
    assert table.prices.num_rows == 1
    assert table.notes == (
        "1 line goes on in a column without a name (first line 2), which is not read",
    )


def test_the_day_of_a_table_of_one_day_is_in_no_line() -> None:
    sheet = sheet_of("Abra,2\nMew\n", "name,market_price,low_price,set\n")
    sheet = with_day(sheet, {}, date(2026, 9, 13))
    table = read_price_table(sheet, TableOptions(), "file", NOW.date(), NOW)
    assert [row["card_id"] for row in table.prices.to_pylist()] == ["abra"]
    assert [str(each) for each in table.left_out] == [
        "1 row left out: the line has 1 cell, not 4: it ends before 'market_price' (first in "
        "line 3: 'Mew')"
    ]


@pytest.mark.parametrize("line", ["a,2026-09-13", "a"])
def test_a_line_that_ends_before_a_needed_column_is_left_out(line: str) -> None:
    table = prices_of(f'{line}\n"b",2026-09-13,7.5,7,Base\n')
    assert [row["card_id"] for row in table.prices.to_pylist()] == ["b"]
    cells, name = ("1 cell", "date") if line == "a" else ("2 cells", "market_price")
    assert [str(each) for each in table.left_out] == [
        f"1 row left out: the line has {cells}, not 5: it ends before {name!r} (first in line 2: "
        f"'{line.replace(',', ', ')}')"
    ]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_line_in_which_the_file_is_cut_off_is_left_out(ends: str) -> None:
    header = HEADER.replace("\n", ends)
    whole = f"a,2026-09-13,12.5{ends}" + f'b,2026-09-13,12.5,,"Base{ends}Set"{ends}'
    assert prices_of(f"{whole}c,2026-09-13,1", header).prices.num_rows == 2
    (left,) = prices_of(f"{whole}c,2026-09-13,1", header).left_out
    assert left.reason == "the file ends in the line: the line has 3 cells, not 5"
    assert prices_of(f"{whole}c,2026-09-13,1{ends}", header).prices.num_rows == 3
    assert prices_of(f"{whole}c,2026-09-13,1,,Base", header).prices.num_rows == 3


def test_lines_are_counted_by_the_columns_that_they_need() -> None:
    sheet = sheet_of("a,x\nb,x,1\nc,x,1,1,Base\nd\n")
    assert sheet.uneven == {2: 2, 3: 3, 5: 1}
    found = without_cut_lines(sheet, [1])
    assert found.line.tolist() == [2, 3, 4]
    assert [each.line for each in found.skipped] == [5]
    assert found.notes[0].startswith("2 lines end before the last column (first line 2)")
    assert found.uneven == {}
    assert without_cut_lines(found, [4]) is found


def test_the_faults_of_a_length() -> None:
    assert [length_fault(cells, 2, ended=True) for cells in (1, 2)] == ["", ""]
    faults = {length_fault(3, 2, ended=ended) for ended in (True, False)}
    assert faults == {"the line has 3 cells, not 2"}
    assert length_fault(2, 2, ended=False) == ""


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("cut", ['c,2026-09-13,12.5,11.0,"Ba', '"c","2026-09-13","1', '"c'])
def test_a_line_in_which_the_file_is_cut_off_within_quotes_is_left_out(ends: str, cut: str) -> None:
    header = HEADER.replace("\n", ends)
    table = prices_of(f'a,2026-09-13,12.5,,"Base{ends}Set"{ends}{cut}', header)
    assert table.prices["card_id"].to_pylist() == ["a"]
    (left,) = table.left_out
    assert left.reason.startswith("the file ends in the line: the line has ")


@pytest.mark.parametrize("tail", ['"b,2026-09-13,1\nc,2026-09-13,1', '"b","2026-09-13","1\n'])
def test_a_quote_that_may_have_swallowed_other_lines_is_refused(tail: str) -> None:
    with pytest.raises(TableError, match=r"line 3: .* a quote is opened and never closed"):
        prices_of(f"a,2026-09-13,12.5\n{tail}")
