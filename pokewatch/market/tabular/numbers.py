"""Numbers as columns of files have them.

The decimal mark is inferred from a whole column, never guessed from one cell.
"""

import re
from collections.abc import Iterable

from pokewatch.money import Decimal, Money, as_typed

# A whole number as programs store it in a column that has empty cells.
WHOLE_AS_DECIMAL = r"^(\d+)\.0+$"
STRAY = 50  # cells that agree make one that does not an error of its own

# A cell that says "nothing here", as spreadsheets, sites and people write it.
PLACEHOLDERS = frozenset(
    text
    for line in (
        "-|--|---|.|?|n/a|na|n.a.|k.a.|k. a.|n.v.|n. v.|n/v|n/d|n.d.|s/o|tbd|tba",
        "null|none|nan|nil|loading...|not available|unavailable|not listed|none listed|no listings",
        "no price|no data|no sales|unknown|sold out|out of stock|ausverkauft|nicht verfügbar",
        "nicht vorhanden|unbekannt|keine daten|épuisé|indisponible|non disponible|agotado",
        "no disponible|sin datos|esaurito|uitverkocht|niet beschikbaar|brak|売り切れ|在庫なし",
    )
    for text in line.split("|")
)
_NO_AMOUNT = re.compile(r"-+(?:[.,]-*)?")  # "- €" and "-,--", as a format of amounts shows zero
# What a spreadsheet shows in place of a value, in its own language: "#REF!", "#BEZUG!", "Err:502".
_ERROR = re.compile(r"#[^\W\d]\S*[!?]|#¡\S+!|#N/\w+|#NV|#NA|Err:\d{3}|#{3,}", re.IGNORECASE)


def is_error_value(text: str) -> bool:
    """Whether the cell is an error of a spreadsheet."""
    return text.startswith(("#", "E", "e")) and _ERROR.fullmatch(text) is not None


def is_placeholder(text: str) -> bool:
    """Whether the cell says that there is no value."""
    typed = as_typed(text).casefold()
    return (
        typed in PLACEHOLDERS
        or is_error_value(typed)
        or _NO_AMOUNT.fullmatch(without_signs(typed)) is not None
    )


def without_signs(text: str) -> str:
    """Return the text of an amount without the sign of its currency."""
    return text.strip("$€£¥ ")


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
