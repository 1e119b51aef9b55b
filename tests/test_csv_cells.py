import csv
import io
from typing import Any

import pytest

from pokewatch.csv_cells import safe_cell, text_of_cell

SIGNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@pytest.mark.parametrize("start", [*SIGNS, "\t", "\r", "\n"])
def test_a_formula_is_a_text(start: str) -> None:
    text = io.StringIO()
    csv.writer(text).writerow([safe_cell(f"{start}1+1")])
    assert next(csv.reader(io.StringIO(text.getvalue(), newline=""))) == [f"'{start}1+1"]


@pytest.mark.parametrize(
    ("value", "cell"), [(-0.5, -0.5), (None, ""), (["a", "b"], "a b"), (["=a"], "'=a"), ("a", "a")]
)
def test_other_values_stay(value: Any, cell: Any) -> None:
    assert safe_cell(value) == cell


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize(
    "name", ["Foo{}=1+2{}x", "Foo{}\uff1d1+2", 'Foo"{}@1', "a\n=1+2{}b", "={}-1"]
)
def test_a_formula_is_a_text_whatever_separates_cells(name: str, separator: str) -> None:
    text = io.StringIO()
    csv.writer(text).writerow([1, safe_cell(name.replace("{}", separator)), 2])
    for cells in csv.reader(io.StringIO(text.getvalue(), newline=""), delimiter=separator):
        assert not any(cell.startswith(SIGNS) for cell in cells)


def test_a_name_with_a_semicolon_stays() -> None:
    assert safe_cell("Foo; bar - x") == "Foo; bar - x"


@pytest.mark.parametrize("name", ["+2 Mace", "-", "\uff1dx", "'Tis", "''", "", "Foo"])
def test_a_name_is_read_as_it_was_written(name: str) -> None:
    assert text_of_cell(safe_cell(name)) == name
