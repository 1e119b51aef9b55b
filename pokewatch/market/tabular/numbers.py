"""Numbers as columns of files have them.

The decimal mark is inferred from a whole column, never guessed from one cell.
"""

from collections.abc import Iterable

from pokewatch.money import Decimal, Money, as_typed

# A whole number as programs store it in a column that has empty cells.
WHOLE_AS_DECIMAL = r"^(\d+)\.0+$"
STRAY = 50  # cells that agree make one that does not an error of its own

# A cell that says "nothing here", as spreadsheets and sites write it.
PLACEHOLDERS = frozenset(
    [
        "-",
        "--",
        "---",
        ".",
        "n/a",
        "#n/a",
        "na",
        "#na",
        "null",
        "none",
        "nan",
        "nil",
        "loading...",
        "#ref!",
        "#value!",
        "#div/0!",
        "#name?",
        "#num!",
        "#null!",
        "#error!",
        "#spill!",
        "#calc!",
        "?",
        "n.a.",
        "k.a.",
        "tbd",
    ]
)


def is_placeholder(text: str) -> bool:
    """Whether the cell says that there is no value."""
    return as_typed(text).casefold() in PLACEHOLDERS


def decimal_of(cells: Iterable[Money]) -> tuple[Decimal | None, bool]:
    """Return the decimal mark that the cells agree on, if any, and whether they contradict.

    Where fewer than one in fifty contradict the others, those few count as errors.
    """
    point = comma = 0
    for cell in cells:
        point += cell.as_comma is None
        comma += cell.as_point is None
    if max(point, comma) == 0 or min(point, comma) * STRAY > max(point, comma):
        return None, point > 0 and comma > 0
    return ("point" if point > comma else "comma"), False
