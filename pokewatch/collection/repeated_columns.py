"""Columns of a collection that say one thing several times: of one name, or one a condition."""

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


def check_columns(sheet: Sheet, headers: Sequence[str], columns: Mapping[str, int]) -> None:
    """Raise TableError where columns repeat or divide what one of them should say."""
    _check_repeated(sheet, headers, columns)
    _check_conditions(sheet, headers, columns)


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


def _check_repeated(sheet: Sheet, headers: Sequence[str], columns: Mapping[str, int]) -> None:
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
