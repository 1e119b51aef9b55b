import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.valuation.book.layout import from_cents, from_float32


@pytest.mark.parametrize("price", [0.01, 0.0734, 16.3, 99.95, 1234.5, 98765.4, 0.0])
def test_an_estimate_is_read_without_the_noise_of_float32(price: float) -> None:
    assert from_float32(np.array([price], dtype=np.float32))[0] == price


def test_no_estimate_stays_none_and_a_price_in_cents_is_exact() -> None:
    assert np.isnan(from_float32(np.array([np.nan], dtype=np.float32)))[0]
    np.testing.assert_array_equal(from_cents(np.array([1234, -1], dtype=np.int32)), [12.34, np.nan])


@given(st.lists(st.floats(0.0009765625, 1e7, width=32), min_size=2))
def test_estimates_keep_their_order_and_their_size(prices: list[float]) -> None:
    stored = np.sort(np.array(prices, dtype=np.float32))
    read = from_float32(stored)
    assert (np.diff(read) >= 0).all()
    np.testing.assert_allclose(read, stored, rtol=6e-6)
