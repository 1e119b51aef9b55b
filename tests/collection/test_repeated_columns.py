"""Tests of columns that say one thing several times."""

from pathlib import Path

import pytest

from pokewatch.collection.exports import Collection, read_collection
from pokewatch.collection.headers import ALONE, KNOWN_HEADERS
from pokewatch.market.tabular.reading import read_sheet
from pokewatch.market.tabular.sheet import TableError


def read(path: Path, text: str) -> Collection:
    file = path / "mine.csv"
    file.write_text(text)
    return read_collection(read_sheet(file, names=sorted(KNOWN_HEADERS), alone=ALONE))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "Name,Quantity,Quantity\nPikachu,2,2\nMew,1,7\n",
            "line 3: two columns are called 'Quantity', with '1' and '7' in this line; "
            "remove or rename one of them",
        ),
        (
            "name,qty,NAME\nPikachu,1,\n",
            "line 2: two columns are called 'NAME', with 'Pikachu' and '' in this line; "
            "remove or rename one of them",
        ),
    ],
)
def test_two_columns_of_one_name_that_differ_are_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(TableError) as raised:
        read(tmp_path, text)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "text",
    [
        "name,qty,qty,notes,notes\nMew,2, 2,a,b\n",  # the same, or not used
        "name,qty,cost,cost\nMew,2,1,3\n",
    ],
)
def test_other_columns_of_one_name_are_read(tmp_path: Path, text: str) -> None:
    assert [(line.name, line.quantity) for line in read(tmp_path, text).lines] == [("Mew", 2)]


def test_copies_in_a_column_a_condition_are_not_counted_as_one(tmp_path: Path) -> None:
    with pytest.raises(TableError) as raised:
        read(tmp_path, "Name,NM,LP,Damaged\nPikachu,3,1,0\n")
    assert str(raised.value) == (
        "line 1: the columns 'NM', 'LP', 'Damaged' may have the copies of each condition; "
        "write a line of each, with the columns condition and quantity"
    )


@pytest.mark.parametrize("header", ["Quantity,NM,LP", "NM", "Condition,NM,LP"])
def test_other_columns_of_conditions_are_not_used(tmp_path: Path, header: str) -> None:
    cells = ",".join("1" if name == "Quantity" else "" for name in header.split(","))
    (line,) = read(tmp_path, f"Name,{header}\nPikachu,{cells}\n").lines
    assert (line.quantity, line.condition) == (1, "NM")


@pytest.mark.parametrize(
    "text",
    [
        "Name,Set,Quantity,Foil Quantity\nMew,Base,1,0\nPikachu,151,2,3\n",
        "Reg Qty,Foil Qty,Name,Set\n0,,Mew,Base\n1,2,Pikachu,151\n",
        "Name,Quantity,Quantity Reverse Holo\nMew,1,0\nPikachu,2,1\n",
    ],
)
def test_copies_of_each_printing_in_columns_are_not_left_out(tmp_path: Path, text: str) -> None:
    with pytest.raises(TableError, match=r"line 3: .* copies of one printing"):
        read(tmp_path, text)


def test_a_column_of_a_printing_without_copies_is_no_fault(tmp_path: Path) -> None:
    found = read(tmp_path, "Name,Set,Quantity,Foil Quantity\nMew,Base,1,0\nPikachu,151,2,\n")
    assert [line.quantity for line in found.lines] == [1, 2]
