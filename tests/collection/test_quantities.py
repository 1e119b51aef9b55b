import pytest

from pokewatch.collection.quantities import Decimal, decimal_of, quantity_of


@pytest.mark.parametrize(
    ("values", "copies"),
    [
        ({}, 1),
        ({"quantity": ""}, 1),
        ({"quantity": "0"}, 0),
        ({"quantity": "3x"}, 3),
        ({"quantity": "2.0"}, 2),
        ({"quantity": "2,00"}, 2),
        ({"quantity": "1,200"}, 1_200),
        ({"quantity": "1.200"}, 1_200),
        ({"quantity": "1.000,00"}, 1_000),
        ({"quantity": "1 000"}, 1_000),
        ({"quantity": "12'500.0"}, 12_500),
        ({"quantity": "1\u2019000,00 x"}, 1_000),
        ({"quantity": "2 pcs"}, 2),
        ({"quantity": "1 copy"}, 1),
        ({"quantity": "2 St\u00fcck"}, 2),
        ({"quantity": "1.200 Stk."}, 1_200),
        ({"quantity": "2", "added": "1"}, 3),
        ({"quantity": "", "added": ""}, 0),
        ({"quantity": "2", "playset": "1"}, 8),
        ({"quantity": "2", "playset": ""}, 2),
    ],
)
def test_the_copies_of_a_line(values: dict[str, str], copies: int) -> None:
    assert quantity_of(values) == copies


@pytest.mark.parametrize(
    "values",
    [
        {"quantity": "400000", "playset": "x"},
        {"quantity": "-1"},
        {"quantity": "1.5"},
        {"quantity": "1."},
        {"quantity": "1 00"},
        {"quantity": "1000 000"},
        {"quantity": "1 000,500"},
        {"quantity": "1 5"},
        {"quantity": "12 345 6"},
        {"quantity": "3'"},
        {"quantity": "1 000'000"},
        {"quantity": "1,000 000"},
        {"quantity": "0,500"},
        {"quantity": "0.500"},
        {"quantity": "0 500"},
        {"quantity": "1.200.000"},
        {"quantity": "9" * 40},
        {"quantity": "2 boxes"},
        {"quantity": "2 x pcs"},
        {"quantity": "2", "added": "some"},
    ],
)
def test_what_is_no_number_of_copies(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="is not a number of copies from 0 to 1,000,000"):
        quantity_of(values)


@pytest.mark.parametrize(
    ("cells", "decimal", "copies"),
    [
        (["1.000", "2", "3.0"], ".", 1),
        (["1.000", "1,200"], ".", 1),
        (["1.000", "1.200"], ",", 1_000),
        (["1.000", "2,00"], ",", 1_000),
        (["1,000", "1,200"], ".", 1_000),
    ],
)
def test_the_other_cells_tell_the_marks_of_a_column(
    cells: list[str], decimal: Decimal, copies: int
) -> None:
    assert decimal_of(cells) == decimal
    assert quantity_of({"quantity": cells[0]}, decimal) == copies


@pytest.mark.parametrize("cells", [["1.000"], ["2,000", "7"], ["1.000", "1,200", "1.200"]])
def test_copies_that_may_be_two_numbers_are_refused(cells: list[str]) -> None:
    decimal = decimal_of(cells)
    with pytest.raises(ValueError, match=r"may be [12] or [12],000 copies: write [12] or [12]000"):
        quantity_of({"quantity": cells[0]}, decimal)
