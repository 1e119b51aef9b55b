"""Every line of a file is a price, or is reported: none is lost."""

import csv
import io
import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pokewatch.market.tabular.column_names import KNOWN
from pokewatch.market.tabular.options import TableOptions
from pokewatch.market.tabular.price_table import PriceTable, read_price_table
from pokewatch.market.tabular.sheet import TableError
from pokewatch.market.tabular.text import read_text
from tests.market.tabular.grids import ANY_CELL, Grid, grids
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


ROWS = [
    (f"card-{card}", f"2026-09-{day}", f"{10 + card + day / 4:.2f}")
    for day in range(20, 26)
    for card in range(12)
]


def _table(rows: list[tuple[str, str, str]]) -> PriceTable:
    text = io.StringIO()
    csv.writer(text, "unix").writerows([NEEDED, *rows])
    sheet = read_text(text.getvalue().encode(), KNOWN)
    return read_price_table(sheet, TableOptions(), "file", NOW.date(), NOW)


@pytest.mark.parametrize("column", [1, 2], ids=["date", "price"])
@given(cell=st.sampled_from([*CELLS, "1/2/2026", "20/09/2026", "€12", "1,234", "2,5"]) | ANY_CELL)
def test_one_cell_costs_no_other_card_its_prices(column: int, cell: str) -> None:
    card, day, price = ROWS[30]
    changed = (card, cell, price) if column == 1 else (card, day, cell)
    table = _table([*ROWS[:30], changed, *ROWS[31:]])
    kept = [(*row, "USD") for row in ROWS if row[0] != card]
    assert kept == [
        (row["card_id"], row["date"].isoformat(), f"{row['market_price']:.2f}", row["currency"])
        for row in sorted(table.prices.to_pylist(), key=lambda row: (row["date"], _rank(row)))
        if row["card_id"] != card
    ]


def _rank(row: dict[str, str]) -> int:
    return int(row["card_id"].removeprefix("card-"))
