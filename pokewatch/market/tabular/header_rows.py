"""Rows that name columns: the header of a table, one that repeats it, and that of another table."""

import re
import unicodedata
from collections.abc import Sequence
from itertools import zip_longest

REPEATED_HEADER = "repeats the header"
SECOND_TABLE = "belongs to a second table, with other columns"
_DIGIT = re.compile(r"\d")


def simplified(name: str) -> str:
    """Return a column's name in lower-case letters and digits joined by underscores, any script."""
    name = unicodedata.normalize("NFKC", name).casefold()
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name).split())


def names_columns(cells: Sequence[str], known: frozenset[str]) -> bool:
    """Return whether a record names at least two columns by usual names."""
    return sum(simplified(cell) in known for cell in cells) >= 2


def repeats_header(cells: Sequence[str], header: Sequence[str]) -> bool:
    """Return whether a record below the header names the same columns again, in any case."""
    pairs = zip_longest(cells, header, fillvalue="")
    return all(cell == name or simplified(cell) == simplified(name) for cell, name in pairs)


def is_other_header(cells: Sequence[str], known: frozenset[str]) -> bool:
    """Return whether a record below the header is one of another table: it has no digit."""
    return not any(map(_DIGIT.search, cells)) and names_columns(cells, known)
