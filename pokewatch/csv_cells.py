"""Cells of CSV files that spreadsheets open."""

import re
from typing import Any

BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # without it Excel reads a CSV file in the local code page
# Japanese and Chinese spreadsheets take the full-width signs for formulas too.
_SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
FORMULA_STARTS = (*_SIGNS, "\t", "\r", "\n")
# Where a cell begins for a program that separates by other marks than commas, and what makes a text
# of it; the syntax is that of RE2 too.
INNER_FORMULA = rf"([;|\t\r\n])([{re.escape(_SIGNS)}])"
INNER_TEXT = r"\1'\2"


def safe_cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula (OWASP, "CSV injection").

    Nor is it one after a semicolon, where the spreadsheet separates cells by semicolons.

    Numbers stay numbers, None is an empty cell, and the items of a list are separated by spaces.
    """
    if isinstance(value, list):
        value = " ".join(value)
    if isinstance(value, str):
        text = re.sub(INNER_FORMULA, INNER_TEXT, value)
        return f"'{text}" if text.startswith(FORMULA_STARTS) else text
    return "" if value is None else value


def text_of_cell(cell: str) -> str:
    """Return the text of a cell that `safe_cell` marked as text: `+2 Mace` for `'+2 Mace`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell
