from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from pokewatch.valuation.panel import fresh_quotes
from tests.valuation.panels import long_table, market_like, panel_from, panel_of


def table_of(**columns: list[object]) -> pa.Table:
    days = [date(2025, 1, 3), date(2025, 1, 1)]
    return pa.table({"card_id": ["b", "a"], "date": days, "market_price": [2.0, 1.0]} | columns)


def test_cards_are_sorted_and_days_are_consecutive() -> None:
    panel = panel_from(table_of())
    assert panel.card_id.tolist() == ["a", "b"]
    assert [str(day) for day in panel.dates] == ["2025-01-01", "2025-01-02", "2025-01-03"]
    np.testing.assert_array_equal(panel.market, [[1.0, np.nan], [np.nan, np.nan], [np.nan, 2.0]])


def test_the_order_of_the_rows_does_not_matter() -> None:
    table = long_table(market_like(12, 7))
    rows = np.random.default_rng(1).permutation(table.num_rows)
    one, other = panel_from(table), panel_from(table.take(pa.array(rows)))
    np.testing.assert_array_equal(one.market, other.market)
    assert one.card_id.tolist() == other.card_id.tolist()


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf"), None], ids=str)
def test_a_price_that_is_none_counts_as_missing(price: float | None) -> None:
    panel = panel_from(table_of(market_price=[price, 1.0]))
    assert np.isnan(panel.market[2, 1])
    assert not panel.fresh[2, 1]


@pytest.mark.parametrize("name", ["low", "mid", "avg7", "avg30"])
def test_further_prices_may_be_given(name: str) -> None:
    assert getattr(panel_from(table_of()), name) is None
    asks: dict[str, list[object]] = {f"{name}_price": [0.5, 0.25]}
    panel = panel_from(table_of(**asks))
    assert getattr(panel, name)[2, 1] == 0.5


def test_card_attributes_are_read() -> None:
    panel = panel_from(
        table_of(
            set_id=["y", "x"],
            rarity=["Rare", None],
            released=[date(2024, 1, 1), None],
            currency=["EUR", "EUR"],
        )
    )
    assert panel.set_id.tolist() == ["x", "y"]
    assert panel.rarity.tolist() == ["", "Rare"]
    assert [str(day) for day in panel.released] == ["NaT", "2024-01-01"]
    assert panel.currency.tolist() == ["EUR", "EUR"]


def test_an_unchanged_quote_is_fresh_only_if_reported_as_new() -> None:
    market = np.array([[np.nan], [1.0], [1.0], [np.nan], [1.0], [2.0]])
    assert fresh_quotes(market)[:, 0].tolist() == [False, True, False, False, False, True]
    traded = np.array([[True], [False], [True], [True], [False], [False]])
    assert fresh_quotes(market, traded)[:, 0].tolist() == [False, True, True, False, False, True]
    stale = np.array([[0.0], [1.0], [0.0], [0.0], [np.nan], [7.0]])
    assert fresh_quotes(market, stale=stale)[:, 0].tolist() == [
        False,
        True,
        True,
        *[False] * 2,
        True,
    ]


def test_no_stale_days_mean_a_renewed_quote() -> None:
    table = long_table([[1.0], [1.0], [1.0]]).append_column("stale_days", pa.array([0, 1, 0]))
    assert panel_from(table).fresh[:, 0].tolist() == [True, False, True]


def test_a_past_panel_and_some_cards_are_parts_of_the_whole() -> None:
    panel = panel_of(market_like(10, 6), low=market_like(10, 6, seed=1))
    past = panel.up_to(3).select(np.array([True, False, True, False, False, False]))
    assert (past.days, past.cards) == (4, 2)
    np.testing.assert_array_equal(past.market, panel.market[:4, [0, 2]])
    assert past.low is not None
    assert past.low.shape == past.fresh.shape == (4, 2)
