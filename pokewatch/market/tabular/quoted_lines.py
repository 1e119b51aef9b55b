"""Text whose lines are each one quoted cell, as a spreadsheet saves a table in one column."""

import csv
import io
import sys
from collections.abc import Callable, Sequence

_NONE = "\x1f"  # separates nothing: a line is one cell


def without_outer_quotes(
    text: str, separators: Sequence[str], is_header: Callable[[list[str]], bool]
) -> str:
    """Return the text without the quotes around its lines, as it is where it has none.

    A first line within such quotes is a header under one of the separators.
    """
    first = text.lstrip("\ufeff").partition("\n")[0].strip()
    if not (first.startswith('"') and first.endswith('"')):
        return text
    try:
        (line,) = _cells(first)
        if not any(is_header(next(csv.reader([line], delimiter=each))) for each in separators):
            return text
        return "\n".join(_cells(text))
    except (csv.Error, ValueError):  # quotes around cells, not around lines
        return text


def _cells(text: str) -> list[str]:
    """Return the one cell of each line. Raise csv.Error where text follows a closing quote."""
    csv.field_size_limit(sys.maxsize)
    lines = io.StringIO(text, newline="")
    return ["".join(cells) for cells in csv.reader(lines, delimiter=_NONE, strict=True)]
