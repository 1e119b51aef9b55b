"""The number of copies that a line of a collection counts."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from pokewatch.collection.printing_columns import is_yes
from pokewatch.market.tabular.sheet import shortened

MAX_QUANTITY = 1_000_000
PLAYSET = 4  # copies

Decimal = Literal[".", ","]

# People write the unit too: "2 pcs", "2 Stück".
_UNITS = "copy|copies|cards?|pcs?|pieces?|ct|stk|stück|stueck|ex|pz|uds?|szt"
_COUNT = re.compile(
    rf"[x\u00d7]? ?(\d(?:[\d.,]|[ '\u2019](?=\d)){{0,20}}) ?(?:[x\u00d7]|(?:{_UNITS})\.?)?",
    re.IGNORECASE,
)
# French and Swiss spreadsheets separate thousands by marks that are no decimal ones. One mark
# separates all of them, and a number with thousands begins with no 0: 0,500 is half a copy.
_WHOLE: Mapping[Decimal, re.Pattern[str]] = {
    ".": re.compile(r"\d{1,9}|[1-9]\d{0,2}([, '\u2019])\d{3}(?:\1\d{3})?"),
    ",": re.compile(r"\d{1,9}|[1-9]\d{0,2}([. '\u2019])\d{3}(?:\1\d{3})?"),
}


def quantity_of(values: Mapping[str, str], decimal: Decimal | None = None) -> int:
    """Return the number of copies: 1 where no column says it, 0 where the column `added` is empty.

    `decimal` is the decimal mark of the column. Raise ValueError, with the reason, for what is no
    number of copies, or may be two.
    """
    given = [values[name] for name in ("quantity", "added") if values.get(name)]
    if not given:
        return 0 if "added" in values else 1
    total = sum(_count(text, decimal) for text in given)
    total *= PLAYSET if is_yes(values.get("playset", "")) else 1
    if total > MAX_QUANTITY:
        raise _none(", ".join(given))
    return total


def decimal_of(cells: Iterable[str]) -> Decimal | None:
    """Return the decimal mark of a column, None where no cell shows it or they contradict.

    In "1.0" it is the point, in "1.200" the comma: there is no fifth of a copy.
    """
    marks = {next(iter(found)) for found in map(_readings, cells) if len(found) == 1}
    return marks.pop() if len(marks) == 1 else None


def _count(text: str, decimal: Decimal | None) -> int:
    found = _readings(text)
    counts = {found[decimal]} if decimal in found else set(found.values())
    if not counts:
        raise _none(text)
    if len(counts) > 1:
        few, many = sorted(counts)
        raise ValueError(
            f"{shortened(text)} may be {few} or {many:,} copies: write {few} or {many}"
        )
    return counts.pop()


def _readings(text: str) -> dict[Decimal, int]:
    """Return the number of copies under each decimal mark that makes a whole number of a cell."""
    found: dict[Decimal, int] = {}
    match = _COUNT.fullmatch(text)
    if match is None:
        return found
    for decimal, pattern in _WHOLE.items():
        whole, mark, fraction = match[1].partition(decimal)
        if pattern.fullmatch(whole) and not fraction.strip("0") and bool(mark) == bool(fraction):
            found[decimal] = int(re.sub(r"\D", "", whole))
    return found


def _none(text: str) -> ValueError:
    return ValueError(f"{shortened(text)} is not a number of copies from 0 to {MAX_QUANTITY:,}")
