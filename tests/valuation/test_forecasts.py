import numpy as np
import pytest

from pokewatch.valuation.book import HorizonForecasts
from pokewatch.valuation.forecasts import further_horizons
from pokewatch.valuation.intervals import THIN_HISTORY
from pokewatch.valuation.models import create
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.valued_days import valued_days
from tests.valuation.panels import market_like, panel_of
from tests.valuation.test_recovery import market

PRICES = market_like(70, 11)
PRICES[:50, 0] = np.nan  # quoted for 20 days
PANEL = panel_of(PRICES)


def forecast_horizons(panel: Panel, name: str, horizons: list[int]) -> HorizonForecasts:
    return valued_days(create(name, 7).fit(panel), panel, 1, horizons).further


def test_forecasts_are_those_of_models_trained_at_their_horizons() -> None:
    found = forecast_horizons(PANEL, "local_level", [30, 14])
    assert found.horizons == (14, 30)
    for row, horizon in enumerate(found.horizons):
        values = create("local_level", horizon).fit(PANEL).value(PANEL, PANEL.days - 1)
        for name in ("fair", "lower", "upper", "status"):
            expected = getattr(values, name).astype(getattr(found, name).dtype)
            np.testing.assert_array_equal(getattr(found, name)[row], expected, err_msg=name)
        assert (found.status[row][0] == THIN_HISTORY) == (horizon == 30)


def test_no_horizons_no_forecasts() -> None:
    assert forecast_horizons(PANEL, "last", []).fair.shape == (0, 11)


def test_the_history_limits_the_horizons_and_the_reasons_are_kept() -> None:
    allowed, missing = further_horizons(PANEL.quoted_days, 7, [90, 30, 7, 30])
    assert allowed == [30]
    assert missing == {90: "70 days of prices, 181 are needed"}


@pytest.mark.parametrize(
    ("name", "seeds"),
    [
        ("local_level", (30,)),
        pytest.param("median7", (30, 31, 32), marks=pytest.mark.slow),
        pytest.param("boosted", (30, 31), marks=pytest.mark.slow),
    ],
)
def test_intervals_far_ahead_hold_nine_of_ten_prices(name: str, seeds: tuple[int, ...]) -> None:
    """A set is released before the last origin, and its prices fall."""
    inside, total = np.zeros(2), np.zeros(2)
    for seed in seeds:
        panel, _ = market(seed, days_of_prices=400, first=600)
        for origin in (200, 230, 300):
            found = forecast_horizons(panel.up_to(origin), name, [30, 90])
            later = np.stack([panel.market[origin + horizon] for horizon in found.horizons])
            known = np.isfinite(later) & np.isfinite(found.lower)
            held = (found.lower <= later) & (later <= found.upper)
            inside += (held & known).sum(axis=1)
            total += known.sum(axis=1)
    assert (total > 1_000).all()
    assert ((inside / total >= 0.87) & (inside / total <= 0.94)).all(), inside / total
