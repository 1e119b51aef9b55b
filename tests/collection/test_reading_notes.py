from tests.collection.test_exports import read


def test_lines_whose_number_of_copies_is_empty_are_counted() -> None:
    header = "name,set,quantity\n"
    one = read(f"{header}Mew,Base,\nAbra,Base,2\n")
    assert [line.quantity for line in one.lines] == [1, 2]
    assert one.notes == ("1 line without a number of copies counts as one (first line 2)",)
    two = read(f"{header}Mew,Base,2\nAbra,Base,\nZubat,Base, \n")
    assert two.notes == ("2 lines without a number of copies count as one (first line 3)",)
    assert read(f"{header}Mew,Base,2\nAbra,Base,0\nTotal,,\n").notes == ()
