"""Rows that name columns: the header of a table, one that repeats it, and that of another table."""

import re
import unicodedata
from collections.abc import Collection, Sequence
from itertools import zip_longest

from pokewatch.market.tabular.column_names import FIELDS
from pokewatch.market.tabular.dates import parse_date

REPEATED_HEADER = "repeats the header"
SECOND_TABLE = "belongs to a second table, with other columns"
_NUMBER_SIGN = re.compile(r"(?<=\w)\s*#\s*$")
_DIGIT = re.compile(r"\d")
# Names of columns that are values of others, too: a game, a finish, and kinds of products.
_VALUES = frozenset({"pokemon", "pokémon", "foil", "card", "item", "product"})
# Below the header, also of cells that repeat the name of their column, such as "Signed", and of
# printings beside them.
_VALUES_BELOW = _VALUES.union(
    {
        *("normal", "regular", "holo", "holofoil", "reverse", "reverse_holo", "reverse_holofoil"),
        *("non_holo", "nonholo", "foil", "signed", "altered", "misprint", "proxy", "playset"),
    }
)
CARD_NAMES = frozenset(
    name for field in ("card_id", "product_id", "name") for name in FIELDS[field]
) - frozenset({"pokemon", "pokémon"})


def simplified(name: str) -> str:
    """Return a column's name in lower-case letters and digits joined by underscores, any script."""
    name = unicodedata.normalize("NFKC", name).casefold()
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name).split())


def with_number(name: str, numbers: Collection[str]) -> str:
    """Return a column's simplified name: one of `numbers` for `Card #` or `N°`, where it is one."""
    numbered = simplified(_NUMBER_SIGN.sub(" number", name).replace("°", "o"))
    return numbered if numbered in numbers else simplified(name)


def names_columns(
    cells: Sequence[str], known: frozenset[str], values: frozenset[str] = _VALUES
) -> bool:
    """Return whether a record names at least two columns by usual names, or cards and days.

    One of the names is none of `values`: a card's row may say "Pokemon" and "Foil".
    """
    names = [name for name in map(simplified, cells) if name in known]
    if len(names) >= 2 and not values.issuperset(names):
        return True
    return not CARD_NAMES.isdisjoint(names) and sum(map(_is_day, cells)) >= 2


class Header:
    """The names of a table's columns, and whether a record below names columns too."""

    def __init__(self, cells: Sequence[str]) -> None:
        self._names = [simplified(cell) for cell in cells]
        self._begin = next((at for at, name in enumerate(self._names) if name), 0)
        self._worded = [at for at, name in enumerate(self._names) if not _DIGIT.search(name)]

    def is_replaced_by(
        self, cells: Sequence[str], known: frozenset[str], *, directly: bool
    ) -> bool:
        """Return whether a record is the header of another table.

        One `directly` below this header that begins in a later column is not: it names what a
        column of this table consists of.
        """
        begins = not directly or any(cell.strip() for cell in cells[: self._begin + 1])
        return begins and is_other_header(cells, known)

    def goes_on_in(self, cells: Sequence[str], known: frozenset[str]) -> bool:
        """Return whether the row below belongs to this header: its first name is merged over both.

        A table of no rows is not followed by another one.
        """
        first = [simplified(cell) for cell in cells[self._begin : self._begin + 1]]
        return first == self._names[self._begin : self._begin + 1] and is_other_header(cells, known)

    def is_repeated_by(self, cells: Sequence[str]) -> bool:
        """Return whether a record names the same columns again in any case.

        Nearly every record has a number under a name without one: it is not simplified, which
        takes longer than reading it.
        """
        if any(_DIGIT.search(cells[at]) for at in self._worded if at < len(cells)):
            return False
        return all(
            cell == name
            for cell, name in zip_longest(map(simplified, cells), self._names, fillvalue="")
        )


def _is_day(cell: str) -> bool:
    return parse_date(cell) is not None


def is_other_header(cells: Sequence[str], known: frozenset[str]) -> bool:
    """Return whether a record below the header is one of another table: it has no digit.

    A line of a collection may say "Reverse" and "Holo" under these names, or be of a card "Foil".
    """
    return not any(map(_DIGIT.search, cells)) and names_columns(cells, known, _VALUES_BELOW)
