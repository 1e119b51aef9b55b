"""Every line of a collection counts copies, or is reported with the reason: none is lost."""

import re

from hypothesis import assume, given

from pokewatch.collection.exports import read_collection
from pokewatch.collection.headers import ALONE, EXAMPLE, KNOWN_HEADERS
from pokewatch.market.tabular.column_names import KNOWN
from pokewatch.market.tabular.sheet import TableError
from pokewatch.market.tabular.text import read_text
from tests.market.tabular.grids import Grid, grids

OTHERS = [
    *("Set", "Card Number", "Printing", "Condition", "Quantity", "Language", "Grade"),
    *("Product ID", "idProduct", "Foil", "Reverse Holo", "Holo", "Signed", "Notes", "Price", ""),
    *("Cost", "Purchase price currency"),
    *("card_id", "outcome", "reason", "Add to Quantity"),
]
CELLS = [
    *("Charizard", "Base Set", "4/102", "1", "0", "-1", "1e3", "1.5", "1.000", "2x", "Holofoil"),
    *("foil", "true", "NM", "Lightly Played", "PSA 10", "42382", "Total", "#N/A", "-", "refused"),
    *("Deck", "4 Pikachu MEW 25", "Pokémon: 4", "German", ""),
]


@given(grids(["Name"], OTHERS, CELLS))
def test_every_line_counts_copies_or_is_reported(grid: Grid) -> None:
    try:
        known = KNOWN | KNOWN_HEADERS
        sheet = read_text(grid.text.encode(), known, alone=ALONE, example=EXAMPLE)
        found = read_collection(sheet)
    except TableError:
        assume(False)
    header = re.search(r"header in line (\d+)", sheet.form)
    assert header is not None
    lines = [*(each.line for each in found.lines), *(each.line for each in found.refused)]
    assert len(set(lines)) == len(lines) == sheet.rows + len(sheet.skipped)
    assert grid.lines - {int(header[1])} <= set(lines)  # a list may have a line of commas alone
    assert all(each.quantity > 0 for each in found.lines)
    assert all(each.reason for each in found.refused)
