from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, assume, given, settings

from pokewatch.market.tabular.columns import KNOWN
from pokewatch.market.tabular.options import TableOptions
from pokewatch.market.tabular.price_table import read_price_table
from pokewatch.market.tabular.sheet import TableError
from pokewatch.market.tabular.text import read_text
from tests.market.tabular.rendered import Prices, Style, prices, styles, written

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def check(panel: Prices, style: Style) -> bool:
    """Whether the file is read; every price must then be exact, and nothing else be there."""
    try:
        data = written(panel, style)
    except UnicodeEncodeError:
        assume(False)
    try:
        table = read_price_table(read_text(data, KNOWN), TableOptions(), "file", NOW.date(), NOW)
    except TableError as error:
        if "can be read as" in str(error) and "POKEWATCH_FILE_" in str(error):
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
    names = {row["card_id"]: row["name"] for row in table.cards.to_pylist()}
    assert names == {card: " ".join(panel.names[card].split(" ")) for card in names}
    assert table.prices.num_rows + table.rejected.num_rows == len(panel.quotes) + style.total_line
    return True


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(prices(), styles())
def test_a_file_is_read_back_exactly_or_refused_with_a_reason(panel: Prices, style: Style) -> None:
    check(panel, style)
