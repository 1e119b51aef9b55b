"""Every line of a file is a price, or is reported: none is lost."""

import json
import re

from hypothesis import assume, given

from pokewatch.market.tabular.column_names import KNOWN
from pokewatch.market.tabular.options import TableOptions
from pokewatch.market.tabular.price_table import read_price_table
from pokewatch.market.tabular.sheet import TableError
from pokewatch.market.tabular.text import read_text
from tests.market.tabular.grids import Grid, grids
from tests.market.tabular.tables import NOW

NEEDED = ("Card ID", "date", "market_price")
OTHERS = [
    *("Name", "condition", "low_price", "volume", "currency", "time", "set", "number"),
    *("Product ID", "Notes", "price", "Datum", ""),
]
CELLS = [
    *("a-1", "b-1", "2026-09-26", "27.09.2026", "9/28/2026", "46291", "12.5", "3,75", "$1.50"),
    *("4 €", "0", "-1", "-", "#N/A", "n/a", "", "Total", "Summe:", "NM", "LP", "EUR", "10:30"),
]


@given(grids(NEEDED, OTHERS, CELLS))
def test_every_line_is_a_price_or_is_reported(grid: Grid) -> None:
    try:
        sheet = read_text(grid.text.encode(), KNOWN)
        table = read_price_table(sheet, TableOptions(), "file", NOW.date(), NOW)
    except TableError:
        assume(False)
    header = re.search(r"header in line (\d+)", table.form)
    rejected = [json.loads(row)["line"] for row in table.rejected["row"].to_pylist()]
    assert header is not None
    assert len(set(rejected)) == len(rejected)
    assert grid.lines == {int(header[1]), *sheet.line.tolist(), *rejected}
    read = table.prices.num_rows + table.repeated + table.superseded
    assert read + len(rejected) == len(grid.lines) - 1
