import pytest

from tests.collection.hard_formats import HEADERS
from tests.collection.test_exports import read


def test_lines_whose_number_of_copies_is_empty_are_counted() -> None:
    header = "name,set,quantity\n"
    one = read(f"{header}Mew,Base,\nAbra,Base,2\n")
    assert [line.quantity for line in one.lines] == [1, 2]
    assert one.notes == ("1 line without a number of copies counts as one (first line 2)",)
    two = read(f"{header}Mew,Base,2\nAbra,Base,\nZubat,Base, \n")
    assert two.notes == ("2 lines without a number of copies count as one (first line 3)",)
    assert read(f"{header}Mew,Base,2\nAbra,Base,0\nTotal,,\n").notes == ()


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        (("false", "", "no"), None),
        (("true", "false", "false"), "1 line is on your watch list and counts as owned"),
        (("TRUE", "false", "yes"), "2 lines are on your watch list and count as owned"),
    ],
)
def test_lines_on_the_watch_list_are_counted(cells: tuple[str, ...], note: str | None) -> None:
    header = HEADERS["Collectr"]
    line = "Main,Pokemon,151,Pikachu,25/165,C,Normal,Ungraded,,1,1,1,0,{},,"
    unowned = "Main,Pokemon,151,Pikachu,25/165,C,Normal,Ungraded,,1,0,1,0,true,,"
    found = read("\n".join([header, *(line.format(cell) for cell in cells), unowned]))
    end = " (first line 2): delete what you do not own"
    assert found.notes == (() if note is None else (note + end,))
