"""Generated files: read back exactly, or refused with a reason."""

import re
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pokewatch.market.tabular.options import TableOptions
from pokewatch.market.tabular.price_table import PriceTable, read_price_table
from pokewatch.market.tabular.reading import read_sheet
from pokewatch.market.tabular.sheet import TableError
from tests.market.tabular.rendered import Prices, Style, is_wide, prices, styles, written

_AMBIGUOUS = re.compile(r"(can be read as|does not look like CP1252).*POKEWATCH_FILE_")
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def read(data: bytes) -> PriceTable:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        sheet = read_sheet(Path(file.name))
    return read_price_table(sheet, TableOptions(), "file", NOW.date(), NOW)


def check(panel: Prices, style: Style) -> bool:
    """Whether the file is read; every price must then be exact, and nothing else be there."""
    try:
        data = written(panel, style)
    except UnicodeEncodeError:
        assume(False)
    try:
        table = read(data)
    except TableError as error:
        if _AMBIGUOUS.search(str(error)):
            return False
        raise
    found = {(row["card_id"], row["date"]): row["market_price"] for row in table.prices.to_pylist()}
    wanted = {
        key: round(price, style.places) for key, price in panel.quotes.items() if price is not None
    }
    wanted = {key: price for key, price in wanted.items() if price > 0}
    assert {key: price for key, price in found.items() if price is not None} == pytest.approx(
        wanted
    )
    assert found.keys() <= panel.quotes.keys()
    priced = (row for row in table.prices.to_pylist() if row["market_price"] is not None)
    assert {row["currency"] for row in priced} <= {currency(style)}
    names = {row["card_id"]: row["name"] for row in table.cards.to_pylist()}
    assert names == {card: panel.names[card] for card in names}
    assert_all_accounted_for(table, panel, style)
    return True


def currency(style: Style) -> str:
    typed = style.typed and style.container != "text"
    return "USD" if typed else style.currency


def assert_all_accounted_for(table: PriceTable, panel: Prices, style: Style) -> None:
    """Each line of the file is a price, a repeated one, or left out with a reason."""
    if is_wide(panel, style) and style.container != "parquet":
        return  # an empty cell of a wide table is no row
    quotes = len(panel.quotes)
    if style.container == "parquet":
        assert table.prices.num_rows + table.rejected.num_rows == quotes
        return
    extra = sum(1 for line in (*style.preamble, *style.comment) if line)
    extra += style.total is not None
    extra += style.repeat_header and quotes > 1
    extra += (quotes + 3) // 4 if style.repeat_rows else 0
    assert table.prices.num_rows + table.repeated + table.rejected.num_rows == quotes + extra


CHECKS = (HealthCheck.too_slow, HealthCheck.filter_too_much)


@settings(max_examples=100, deadline=None, suppress_health_check=CHECKS)
@given(prices(), styles())
def test_a_file_is_read_back_exactly_or_refused_with_a_reason(panel: Prices, style: Style) -> None:
    check(panel, style)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=10_000, deadline=None, suppress_health_check=CHECKS)
@given(prices(), styles())
def test_ten_thousand_files(panel: Prices, style: Style) -> None:
    check(panel, style)


@settings(max_examples=60, deadline=None, suppress_health_check=CHECKS)
@given(prices(), styles(), st.data())
def test_a_damaged_file_is_refused_or_has_no_other_cards(
    panel: Prices, style: Style, data: st.DataObject
) -> None:
    try:
        whole = bytearray(written(panel, style))
    except UnicodeEncodeError:
        assume(False)
    kind = data.draw(st.sampled_from(["cut", "zeros", "noise"]))
    at = data.draw(st.integers(0, len(whole) - 1))
    if kind == "cut":
        del whole[at:]
    else:
        count = data.draw(st.integers(1, 16))
        end = min(len(whole), at + count)
        whole[at:end] = (
            bytes(end - at) if kind == "zeros" else data.draw(st.binary(min_size=1, max_size=16))
        )
    try:
        table = read(bytes(whole))
    except TableError:
        return
    assert all(date(1996, 1, 1) <= day <= NOW.date() for day in table.prices["date"].to_pylist())
    left = {price for price in table.prices["market_price"].to_pylist() if price is not None}
    assert all(price > 0 for price in left)
