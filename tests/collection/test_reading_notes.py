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


@pytest.mark.parametrize(
    ("remarks", "note"),
    [
        (("trade bait", "assigned to Ann", ""), None),
        (("Signed by the artist", "", "ungraded"), "the remarks of 1 line say"),
        (("PSA 10", "autographed", ""), "the remarks of 2 lines say"),
    ],
)
def test_remarks_of_copies_without_a_price_are_counted(
    remarks: tuple[str, ...], note: str | None
) -> None:
    line = "International,Mew,001/084,1,Base,Common,Normal,English,Near Mint,1,$1,$1,{}"
    unowned = "International,Mew,001/084,1,Base,Common,Normal,English,Near Mint,0,$1,$1,signed"
    lines = [HEADERS["TCG Collector"], *(line.format(each) for each in remarks), unowned]
    notes = read("\n".join(lines)).notes
    assert len(notes) == (note is not None)
    assert note is None or (notes[0].startswith(note) and "(first line 2)" in notes[0])
