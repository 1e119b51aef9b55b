"""The number of copies that a line of a collection counts."""

import re
from collections.abc import Mapping

from pokewatch.collection.printing_columns import is_yes

MAX_QUANTITY = 1_000_000
PLAYSET = 4  # copies

_COUNT = re.compile(r"[x\u00d7]?\s*(\d{1,9})(?:[.,]0+)?\s*[x\u00d7]?", re.IGNORECASE)
_THOUSANDS = re.compile(r",(?=\d{3}(?!\d))")


def quantity_of(values: Mapping[str, str]) -> int | None:
    """Return the number of copies: 1 where no column says it, None if it is not a number."""
    given = [values[name] for name in ("quantity", "added") if values.get(name)]
    if not given:
        has_column = "quantity" in values or "added" in values
        return 0 if has_column and "added" in values else 1
    counts = [_COUNT.fullmatch(_THOUSANDS.sub("", text)) for text in given]
    if not all(counts):
        return None
    total = sum(int(match[1]) for match in counts if match)
    total *= PLAYSET if is_yes(values.get("playset", "")) else 1
    return total if total <= MAX_QUANTITY else None
