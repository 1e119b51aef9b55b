"""Prices that are whole cents take four bytes, and are read as they were."""

import numpy as np
import pytest

from pokewatch.valuation.cent_prices import CentPrices, Floats, PriceColumns

CENTS = np.array([[0.01, np.nan, 12.34], [1_234.56, 0.29, np.nan]])


def columns_of(*parts: Floats) -> PriceColumns:
    columns = PriceColumns(len(parts[0]), sum(part.shape[1] for part in parts))
    place = 0
    for part in parts:
        columns.put(np.arange(place, place + part.shape[1]), part)
        place += part.shape[1]
    return columns


def test_whole_cents_are_read_as_they_were() -> None:
    prices = columns_of(CENTS, CENTS[:, ::-1]).prices()
    assert isinstance(prices, CentPrices)
    both = np.concatenate((CENTS, CENTS[:, ::-1]), axis=1)
    np.testing.assert_array_equal(np.asarray(prices), both)
    np.testing.assert_array_equal(prices[1], both[1])
    np.testing.assert_array_equal(prices[:, [4, 0]], both[:, [4, 0]])
    np.testing.assert_array_equal(np.stack(list(prices)), both)
    assert len(prices) == 2
    assert prices.shape == (2, 6)


def test_arithmetic_is_that_of_the_prices() -> None:
    prices = columns_of(CENTS).prices()
    np.testing.assert_array_equal(prices * 2.0, CENTS * 2.0)
    np.testing.assert_array_equal(prices >= 1.0, CENTS >= 1.0)
    np.testing.assert_array_equal(prices == 0.29, CENTS == 0.29)
    np.testing.assert_array_equal(np.log(prices), np.log(CENTS))
    np.testing.assert_array_equal(np.isfinite(prices).any(axis=0), [True, True, True])


def test_every_cent_up_to_a_million_is_exact() -> None:
    every = np.arange(1, 100_000_001, 997) / 100
    assert isinstance(columns_of(every[None]).prices(), CentPrices)


def test_a_slice_of_days_is_no_copy() -> None:
    prices = columns_of(CENTS).prices()
    later = prices[1:]
    assert isinstance(prices, CentPrices)
    assert isinstance(later, CentPrices)
    assert np.shares_memory(later._cents, prices._cents)
    np.testing.assert_array_equal(later[0], CENTS[1])


@pytest.mark.parametrize("price", [0.005, 1 / 3, -1.0, 30_000_000.0, np.inf, 0.1 + 0.2], ids=str)
def test_one_price_of_another_kind_and_all_are_floats(price: float) -> None:
    other = CENTS.copy()
    other[1, 0] = price
    prices = columns_of(CENTS, other, CENTS).prices()
    assert isinstance(prices, np.ndarray)
    np.testing.assert_array_equal(prices, np.concatenate((CENTS, other, CENTS), axis=1))
