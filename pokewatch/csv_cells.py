"""Cells of CSV files that spreadsheets open."""

from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula (OWASP, "CSV injection").

    Numbers stay numbers, None is an empty cell, and the items of a list are separated by spaces.
    """
    if isinstance(value, list):
        value = " ".join(value)
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value
