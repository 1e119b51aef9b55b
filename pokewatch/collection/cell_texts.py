"""The cells of a collection as texts."""

import re
from typing import Any

from pokewatch.csv_cells import text_of_cell
from pokewatch.market.tabular.numbers import WHOLE_AS_DECIMAL, is_placeholder
from pokewatch.market.tabular.unvalued_cells import cell_fault
from pokewatch.plain_text import INVISIBLE_PATTERN, plain

_TEXT_FORMULA = re.compile(r'="([^"]*)"')  # ="4/102" keeps a spreadsheet from reading a date
_MARKED = re.compile(r"^['\u2019](?=\d)")  # '4/102, which keeps it from reading a date, too
_DECIMAL = re.compile(WHOLE_AS_DECIMAL)
_INVISIBLE = re.compile(INVISIBLE_PATTERN)
_IDS = frozenset({"product_id", "market_id"})
_WHOLE = _IDS | {"number"}
_COUNTED = _WHOLE | {"quantity", "added"}
_DESCRIBING = _WHOLE | {"set_name", "set_code", "printing", "language", "condition", "game"}
# Numbers that stand for words: in a column with empty cells, programs store 1 as 1.0.
_CODED = _DESCRIBING | {"grade", "reverse", "holo", "normal", "playset", "first_edition"}
_MEANT = {"printing": "-", "number": "?"}  # no foil; the number of an Unown


def cell_text(cell: Any, field: str) -> str:
    """Return a cell as text, its words separated by single spaces; "" for NaN.

    Ids, numbers and codes are without the ".0" of programs that store such a column as decimals.
    Ids and numbers have ASCII digits and slashes; ids are without zeros before them. "N/A" is blank
    in a column that a line need not have, such as the number of a sealed product. Marks without
    width, which copied text may carry, are left out. Error values of spreadsheets stay as they are.
    """
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    visible = _INVISIBLE.sub("", str(cell))
    text = " ".join((plain(visible) if field in _COUNTED else visible).split())
    formula = _TEXT_FORMULA.fullmatch(text)
    text = formula[1] if formula else text_of_cell(text)
    text = _MARKED.sub("", text) if field in _COUNTED else text
    if cell_fault(text):
        return text
    if field in _DESCRIBING and text != _MEANT.get(field) and is_placeholder(text):
        return ""
    if field in _CODED and (decimal := _DECIMAL.fullmatch(text)):
        text = decimal[1]
    return text.lstrip("0") or "0" if field in _IDS and text.isdecimal() else text
