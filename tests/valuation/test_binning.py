import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from pokewatch.valuation.binning import classes_of

EDGES = (-1.0, 0.04, 0.1, 0.2, 5.0)
VALUES = st.one_of(st.sampled_from([*EDGES, np.nan, np.inf, -np.inf, 0.1]), st.floats())


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(data=st.data())
def test_classes_are_those_of_a_search(side: str, dtype: type, data: st.DataObject) -> None:
    with np.errstate(over="ignore"):
        drawn: NDArray[np.float64] = data.draw(arrays(np.float64, 20, elements=VALUES))
        values: NDArray[np.floating] = drawn.astype(dtype)
    for edges in ((), EDGES[:1], EDGES):
        found = classes_of(values, edges, side)  # type: ignore[arg-type]
        expected = np.searchsorted(edges, values, side=side)  # type: ignore[call-overload]
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.int64
