import numpy as np
import pytest

from pokewatch.valuation.models import create
from tests.valuation.panels import panel_of


@pytest.mark.parametrize(
    ("name", "fair"),
    [("last", 11.0), ("rolling_mean", (12.0 + 30.0 + 11.0) / 3), ("median7", 11.0)],
)
def test_the_averages_are_the_usual_ones(name: str, fair: float) -> None:
    panel = panel_of(np.array([10.0, 11.0, 10.0, 12.0, 11.0, 10.0, 12.0, 30.0, 11.0])[:, None])
    assert create(name, 7).fit(panel).value(panel, 8).fair[0] == pytest.approx(fair, rel=1e-6)
