from statistics import NormalDist

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.decision import normal_cdf, predictive_cdf

PRICE = st.floats(0.01, 1e6)


@given(st.lists(st.floats(-40, 40), min_size=1, max_size=50))
def test_normal_cdf_is_within_1e_7(values: list[float]) -> None:
    exact = [NormalDist().cdf(z) for z in values]
    np.testing.assert_allclose(normal_cdf(np.array(values)), exact, atol=1e-7, rtol=0)


@given(fair=PRICE, down=st.floats(1e-6, 3.0), up=st.floats(1e-6, 3.0))
def test_the_distribution_has_the_interval_as_its_quantiles(
    fair: float, down: float, up: float
) -> None:
    lower, upper = fair * np.exp(-down), fair * np.exp(up)
    found = predictive_cdf(
        np.array([lower, fair, upper]), np.full(3, fair), np.full(3, lower), np.full(3, upper)
    )
    np.testing.assert_allclose(found, [0.05, 0.5, 0.95], atol=1e-6)
