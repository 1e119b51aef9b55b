"""Columns that repeat a name, or divide the copies of a line by condition or by printing."""

import re
from collections.abc import Mapping, Sequence

from pokewatch.collection.cell_texts import cell_text
from pokewatch.market.tabular.sheet import Sheet, TableError, shortened

_CONDITIONS = frozenset(
    [
        "nm",
        "lp",
        "mp",
        "hp",
        "dmg",
        "near_mint",
        "lightly_played",
        "moderately_played",
        "heavily_played",
        "damaged",
    ]
)
_PRINTING = r"(?:reg|regular|normal|non_?foil|foil|holo|holofoil|reverse|reverse_holo|1st_edition)"
_COUNT = r"(?:qty|quantity|count|copies)"
_COPIES_OF_PRINTING = re.compile(rf"{_PRINTING}_{_COUNT}|{_COUNT}_{_PRINTING}")


def check_columns(sheet: Sheet, headers: Sequence[str], columns: Mapping[str, int]) -> None:
    """Raise TableError where columns repeat or divide what one of them should say."""
    check_repeated(sheet, headers, columns)
    _check_conditions(sheet, headers, columns)
    _check_printings(sheet, headers)


def _check_conditions(sheet: Sheet, headers: Sequence[str], columns: Mapping[str, int]) -> None:
    """Raise TableError where columns such as `NM` and `LP` have the copies of each condition."""
    found = [
        name for name, header in zip(sheet.names, headers, strict=True) if header in _CONDITIONS
    ]
    if len(found) > 1 and not {"condition", "quantity", "added"} & columns.keys():
        raise TableError(
            f"the columns {', '.join(map(shortened, found))} may have the copies of each condition",
            line=1,
            remedy="write a line of each, with the columns condition and quantity",
        )


def _check_printings(sheet: Sheet, headers: Sequence[str]) -> None:
    """Raise TableError where a column such as `Foil Quantity` has copies of one printing."""
    for at, header in enumerate(headers):
        if not _COPIES_OF_PRINTING.fullmatch(header):
            continue
        for row, cell in enumerate(sheet.cells[at].to_pylist()):
            if (text := cell_text(cell, "quantity")) not in ("", "0"):
                raise TableError(
                    f"the column {shortened(sheet.names[at])} has {shortened(text)} copies of one "
                    "printing",
                    line=int(sheet.line[row]),
                    remedy="write a line of each printing, with the columns printing and quantity",
                )


def check_repeated(sheet: Sheet, headers: Sequence[str], columns: Mapping[str, int]) -> None:
    """Raise TableError where a line has another cell in a second column of a used column's name."""
    for field, first in columns.items():
        for second in range(first + 1, len(headers)):
            if headers[second] != headers[first]:
                continue
            columns_of_name = (sheet.cells[at].to_pylist() for at in (first, second))
            for row, cells in enumerate(zip(*columns_of_name, strict=True)):
                one, other = (cell_text(cell, field) for cell in cells)
                if one != other:
                    raise TableError(
                        f"two columns are called {shortened(sheet.names[second])}, with "
                        f"{shortened(one)} and {shortened(other)} in this line",
                        line=int(sheet.line[row]),
                        remedy="remove or rename one of them",
                    )
