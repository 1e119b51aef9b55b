import math
from typing import Any

import pytest

from pokewatch.collection.cell_texts import cell_text
from pokewatch.market.tabular.unvalued_cells import cell_fault


@pytest.mark.parametrize(
    ("cell", "field", "text"),
    [
        (None, "name", ""),
        (math.nan, "quantity", ""),
        (4.0, "name", "4"),
        (9.5, "grade", "9.5"),
        (" Mew  ex ", "name", "Mew ex"),
        ('="4/102"', "number", "4/102"),
        ("58.0", "number", "58"),
        ("246723.0", "product_id", "246723"),
        ("715954.00", "market_id", "715954"),
        ("4/102", "number", "4/102"),
        ("2.0", "name", "2.0"),
        ("1.0", "reverse", "1"),
        ("0.0", "first_edition", "0"),
        ("7.0", "language", "7"),
        ("2.00", "condition", "2"),
        ("1.0", "printing", "1"),
        ("151.0", "set_name", "151"),
        ("9.0", "grade", "9"),
        ("1.000", "quantity", "1.000"),
        ("Mew\u200b\ufeff ex\u200e", "name", "Mew ex"),
        ("\u2068Mew ex\u2069", "name", "Mew ex"),
        ("\u200b1\u200b", "quantity", "1"),
        ("\uff11\uff12", "quantity", "12"),
        ("\uff14\uff0f102", "number", "4/102"),
        ("246723\u200b", "product_id", "246723"),
        ("0246723", "product_id", "246723"),
        ("0246723.0", "market_id", "246723"),
        ("004", "number", "004"),
        ("'004/102", "number", "004/102"),
        ("\u20192", "quantity", "2"),
        ("'246723", "product_id", "246723"),
        ("'93 Tour", "name", "'93 Tour"),
        ("N/A", "number", ""),
        ("none", "set_name", ""),
        ("?", "number", "?"),
        ("-", "printing", "-"),
        ("-", "language", ""),
        ("N/A", "name", "N/A"),
        ("N/A", "quantity", "N/A"),
        ("None", "reverse", "None"),
        ("#N/A", "number", "#N/A"),
        ("#REF!", "condition", "#REF!"),
    ],
)
def test_a_cell_is_the_text_that_its_column_means(cell: Any, field: str, text: str) -> None:
    assert cell_text(cell, field) == text


@pytest.mark.parametrize(
    "text",
    [
        *("#N/A", "#n/a", "#NV", "#N/DISP", "#REF!", "#BEZUG!", "#DIV/0!", "#¡VALOR!", "#NAME?"),
        *("Err:502", "#####"),
    ],
)
def test_an_error_of_a_spreadsheet_is_one(text: str) -> None:
    fault = f"is {text!r}, an error of the spreadsheet: correct the cell"
    assert cell_fault(text) == fault


@pytest.mark.parametrize(
    "text", ["", "N/A", "=A1", "#4", "#?", "#1!", "Error", "Err", "E", "4/102", "##"]
)
def test_other_texts_are_no_faults(text: str) -> None:
    assert cell_fault(text) == ""
