import numpy as np
import pytest

from pokewatch.decision.distribution import LEVELS
from pokewatch.valuation.common_errors import CommonErrors
from pokewatch.valuation.error_shapes import ErrorShapes, quantiles


@pytest.mark.parametrize("count", [1, 2, 9, 99, 100, 4_321])
def test_quantiles_are_those_of_numpy(count: int) -> None:
    numbers = np.sort(np.random.default_rng(count).standard_t(3, count))
    expected = np.quantile(numbers, LEVELS, method="weibull")
    np.testing.assert_array_equal(quantiles(numbers), expected)


def test_quantiles_of_equal_numbers_are_that_number() -> None:
    np.testing.assert_array_equal(quantiles(np.full(300, 0.1)), np.full(len(LEVELS), 0.1))


def test_a_shape_is_wider_than_the_errors_seen_and_has_a_floor() -> None:
    errors, common = np.linspace(-1.0, 1.0, 999), CommonErrors(0.5, 4.0, 0.0)
    floor, *found = ErrorShapes(common)(errors, 100)
    assert floor == pytest.approx(1.0 / (common.independent(100) + 1.0))
    widening = [common.widening(level) for level in LEVELS]
    np.testing.assert_allclose(found, quantiles(errors) * widening)
    assert found[0] < quantiles(errors)[0]


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_errors_on_one_side_of_the_forecast_have_ascending_quantiles(sign: float) -> None:
    errors = np.sort(sign * np.linspace(1.0, 1.05, 500))
    _, *found = ErrorShapes(CommonErrors(0.5, 2.0, 0.0))(errors, 100)
    assert (np.diff(found) >= 0).all()
