import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtr, stdtrit

from pokewatch.contract import DISTRIBUTION_WIDTH
from pokewatch.decision import (
    Distribution,
    interval_distribution,
    predictive_cdf,
    predictive_quantile,
    with_intervals,
)
from pokewatch.decision.distribution import LEVELS, WIDTH, predictive_mass, student_cdf

PRICE = st.floats(0.01, 1e6)
NAN = float("nan")


def distribution(
    last: float = 10.0,
    unchanged: float = 0.4,
    floor: float = 0.001,
    quantiles: tuple[float, ...] = (6, 7, 8, 10.5, 12, 14, 17),
) -> Distribution:
    return Distribution.from_array(np.array([[last, unchanged, floor, *np.log(quantiles)]]))


@st.composite
def distributions(draw: st.DrawFn) -> Distribution:
    steps = draw(st.lists(st.floats(0, 2), min_size=len(LEVELS), max_size=len(LEVELS)))
    first = draw(st.floats(-5, 5))
    return Distribution(
        last_price=np.array([draw(PRICE)]),
        unchanged=np.array([draw(st.floats(0, 0.99))]),
        floor=np.array([draw(st.sampled_from([0.1, 0.01, 1e-4]))]),
        log_quantiles=first + np.cumsum(steps)[None, :],
    )


@given(st.lists(st.floats(-1e5, 1e5), min_size=1, max_size=50))
def test_students_distribution_function_is_within_1e_7(values: list[float]) -> None:
    exact = stdtr(3, values)
    np.testing.assert_allclose(student_cdf(np.array(values)), exact, atol=1e-7, rtol=0)


def test_between_the_levels_and_beyond_them_moves_have_students_tails() -> None:
    quantiles = tuple(np.exp(0.1 * stdtrit(3, LEVELS)).tolist())
    one = distribution(last=1.0, unchanged=0.0, floor=1e-6, quantiles=quantiles)
    for level in (1e-4, 0.003, 0.02, 0.1, 0.3, 0.7, 0.98, 0.999):
        price = math.exp(0.1 * stdtrit(3, level))
        assert predictive_cdf(one, price)[0] == pytest.approx(level, rel=1e-3)
        assert predictive_quantile(one, level)[0] == pytest.approx(price, rel=1e-4)


@given(fair=PRICE, down=st.floats(1e-6, 3.0), up=st.floats(1e-6, 3.0))
def test_the_distribution_of_an_interval_has_it_as_its_quantiles(
    fair: float, down: float, up: float
) -> None:
    lower, upper = fair * np.exp(-down), fair * np.exp(up)
    one = interval_distribution(*(np.full(3, price) for price in (fair, lower, upper)))
    found = predictive_cdf(one, [lower, fair, upper])
    np.testing.assert_allclose(found, [0.05, 0.5, 0.95], atol=1e-6)
    np.testing.assert_allclose(
        predictive_quantile(one, [0.05, 0.5, 0.95]), [lower, fair, upper], rtol=1e-6
    )


def test_the_quantiles_of_a_changed_price_are_those_at_the_levels() -> None:
    prices = [6, 7, 8, 10.5, 12, 14, 17]
    found = [predictive_cdf(distribution(unchanged=0.0), price)[0] for price in prices]
    np.testing.assert_allclose(found, LEVELS, atol=1e-6)


def test_the_gateway_sends_as_many_numbers_as_a_distribution_has() -> None:
    assert DISTRIBUTION_WIDTH == WIDTH == distribution().to_array().shape[-1]


def test_an_unchanged_price_is_an_atom_at_the_last_one() -> None:
    one = distribution(last=8.0, unchanged=0.4)
    assert predictive_cdf(one, 8.0, "left")[0] == pytest.approx(0.6 * 0.2)
    assert predictive_cdf(one, 8.0)[0] == pytest.approx(0.6 * 0.2 + 0.4)
    assert predictive_cdf(one, 7.0)[0] == pytest.approx(0.6 * 0.05)
    assert [predictive_quantile(one, level)[0] for level in (0.13, 0.4, 0.51)] == [8.0] * 3
    assert predictive_quantile(one, 0.6 * 0.05)[0] == pytest.approx(7.0)
    assert predictive_quantile(one, 0.4 + 0.6 * 0.8)[0] == pytest.approx(12.0)


@pytest.mark.parametrize("last", [0.05, 0.01])
def test_a_price_changes_by_at_least_a_cent(last: float) -> None:
    one = distribution(last=last, quantiles=(0.03, 0.035, 0.04, 0.05, 0.06, 0.065, 0.07))
    at = predictive_cdf(one, last, "left")[0], predictive_cdf(one, last)[0]
    assert predictive_cdf(one, last - 0.005)[0] == pytest.approx(at[0])
    assert predictive_cdf(one, last + 0.009)[0] == pytest.approx(at[1])
    assert predictive_cdf(one, last + 0.01)[0] >= at[1]
    for level in np.linspace(0.01, 0.99, 50):
        price = predictive_quantile(one, level)[0]
        assert price == pytest.approx(last) or abs(price - last) >= 0.01 - 1e-9


@pytest.mark.parametrize("last", [0.96, 8.0, 1234.56])
def test_a_change_of_less_than_a_cent_is_one_of_a_cent(last: float) -> None:
    steps = np.array([-0.03, -0.02, -0.01, 0.002, 0.004, 0.02, 0.03])
    one = distribution(last=last, unchanged=0.7, quantiles=tuple(last + steps))
    below, until = (predictive_cdf(one, last, side)[0] for side in ("left", "right"))
    assert predictive_cdf(one, last - 0.01)[0] == pytest.approx(below)
    assert predictive_cdf(one, last - 0.01, "left")[0] == pytest.approx(0.3 * 0.2)
    assert predictive_cdf(one, last + 0.01, "left")[0] == pytest.approx(until)
    assert predictive_cdf(one, last + 0.01)[0] > until + 0.01
    assert predictive_quantile(one, until + 1e-6)[0] == pytest.approx(last + 0.01)


def test_rounding_does_not_separate_a_price_from_the_last_quote() -> None:
    one = distribution(last=8.0 * (1 + 1e-13))
    assert predictive_cdf(one, 8.0)[0] == pytest.approx(0.6 * 0.2 + 0.4)
    assert predictive_cdf(one, 8.0 * (1 + 2e-13), "left")[0] == pytest.approx(0.6 * 0.2)


@given(one=distributions(), price=PRICE, other=PRICE)
def test_the_cdf_rises_and_stays_within_its_floor(
    one: Distribution, price: float, other: float
) -> None:
    low, high = sorted((price, other))
    found = [
        predictive_cdf(one, low, "left")[0],
        predictive_cdf(one, low)[0],
        predictive_cdf(one, high, "left")[0],
        predictive_cdf(one, high)[0],
    ]
    assert found == sorted(found) or low == high
    assert one.floor[0] <= min(found) <= max(found) <= 1 - one.floor[0]


@given(distributions(), PRICE, st.none() | PRICE)
def test_the_mass_between_two_prices(one: Distribution, below: float, width: float | None) -> None:
    until = math.inf if width is None else below + width
    (found,) = predictive_mass(one, np.array([below]), np.array([until]))
    exact = replace(one, floor=np.array([1e-12]))
    inside = predictive_cdf(exact, until) - predictive_cdf(exact, below)
    assert found == pytest.approx(np.clip(inside, one.floor, 1 - one.floor)[0], abs=1e-9)


def test_two_tails_cost_no_more_than_the_floor() -> None:
    beyond_doubt = predictive_mass(distribution(floor=0.05), np.array([1.0]), np.array([99.0]))
    assert beyond_doubt == pytest.approx([0.95])


@given(one=distributions(), level=st.floats(0.0, 1.0))
def test_the_quantile_inverts_the_cdf(one: Distribution, level: float) -> None:
    price = predictive_quantile(one, level)
    wanted = min(max(level, one.floor[0]), 1 - one.floor[0])
    assert predictive_cdf(one, price * (1 + 1e-9))[0] >= wanted - 1e-5
    assert predictive_cdf(one, price * (1 - 1e-9), "left")[0] <= wanted + 1e-5


@pytest.mark.parametrize(("price", "side"), [(1e-300, "right"), (1e300, "left"), (0.0, "right")])
def test_no_probability_is_nearer_to_0_or_1_than_the_floor(price: float, side: str) -> None:
    found = predictive_cdf(distribution(floor=0.02), price, side)[0]  # type: ignore[arg-type]
    assert found == (0.98 if side == "left" else 0.02)


def test_a_row_without_a_distribution_has_that_of_its_interval() -> None:
    given_rows = np.full((2, WIDTH), NAN)
    given_rows[0] = distribution().to_array()[0]
    prices = np.array([[10.0, 10.0], [8.0, 8.0], [13.0, 13.0]])
    found = with_intervals(Distribution.from_array(given_rows), *prices)
    assert found.unchanged.tolist() == [0.4, 0.0]
    np.testing.assert_allclose(predictive_cdf(found, 8.0), [0.6 * 0.2, 0.05], atol=1e-6)
    assert with_intervals(None, *prices).floor.tolist() == [0.01, 0.01]


def test_nothing_is_known_without_an_interval() -> None:
    one = interval_distribution(np.array([10.0]), np.array([NAN]), np.array([12.0]))
    assert np.isnan(predictive_cdf(one, 10.0)).all()
    assert np.isnan(predictive_quantile(one, 0.5)).all()
