"""Columns of a collection that have the same name."""

from collections.abc import Mapping, Sequence

from pokewatch.collection.cell_texts import cell_text
from pokewatch.market.tabular.sheet import Sheet, TableError, shortened


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
