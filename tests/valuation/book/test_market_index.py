from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.book.layout import from_cents, to_cents
from pokewatch.valuation.book.market_index import MAX_RETURN, PriceMatrix, chained_index
from tests.serving.books import make_book


def matrix(prices: list[list[float]]) -> PriceMatrix:
    return PriceMatrix(to_cents(np.array(prices)), from_cents)


def test_the_index_follows_the_cost_of_one_copy_of_each() -> None:
    index = chained_index(matrix([[100.0, 110.0, 99.0], [50.0, 50.0, 50.0]]))
    assert index == pytest.approx([100.0, 100 * 160 / 150, 100 * 149 / 150])


def test_cards_that_appear_or_vanish_do_not_move_it() -> None:
    nan = float("nan")
    index = chained_index(matrix([[10.0, 11.0, 11.0], [nan, 500.0, 500.0], [900.0, nan, nan]]))
    assert index == pytest.approx([100.0, 110.0, 110.0])


def test_days_without_prices_hide_no_move() -> None:
    nan = float("nan")
    prices = [[nan, 100.0, nan, nan, 110.0, nan, 99.0], [nan, 50.0, nan, nan, 50.0, nan, 50.0]]
    found = chained_index(matrix(prices))
    up, down = 100 * 160 / 150, 100 * 149 / 150
    assert found == pytest.approx([100.0, 100.0, 100.0, 100.0, up, up, down])


def test_a_wrong_quote_moves_it_by_no_more_than_the_limit() -> None:
    index = chained_index(matrix([[1.0, 100.0], [1.0, 1.0]]))
    assert index == pytest.approx([100.0, 100 * (1 + MAX_RETURN / 2)])


def test_of_some_cards_alone() -> None:
    prices = matrix([[10.0, 11.0], [10.0, 9.0]])
    assert chained_index(prices, np.array([1])) == pytest.approx([100.0, 90.0])


@pytest.mark.parametrize("prices", [[[float("nan")] * 3], [[0.0, 0.0, 0.0]], [[5.0]]])
def test_without_prices_it_stays(prices: list[list[float]]) -> None:
    assert chained_index(matrix(prices)).tolist() == [100.0] * len(prices[0])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(st.just(float("nan")), st.floats(0, 1_000)), min_size=4, max_size=4),
        min_size=1,
        max_size=6,
    )
)
def test_it_is_positive_and_within_the_limit_of_each_step(prices: list[list[float]]) -> None:
    index = chained_index(matrix(prices))
    steps = index[1:] / index[:-1]
    assert (index > 0).all()
    assert (steps >= 1 - MAX_RETURN - 1e-9).all()
    assert (steps <= 1 + MAX_RETURN + 1e-9).all()


def test_a_book_has_the_index_of_its_prices(tmp_path: Path) -> None:
    book = PriceBook.open(tmp_path / "book", make_book(tmp_path / "book", unquoted=(2,)))
    assert book.market_index[-1] > 100.0
    np.testing.assert_array_equal(book.market_index, chained_index(book.market_prices))
