import json
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pokewatch.valuation.models import MODELS, create, restore
from tests.valuation.panels import market_like, panel_of


@pytest.mark.parametrize("name", MODELS)
def test_a_model_made_from_its_parameters_gives_the_same_numbers(name: str) -> None:
    panel = panel_of(market_like(60, 40), low=market_like(60, 40, seed=1))
    model = create(name, 5).fit(panel)
    again = restore(json.loads(json.dumps(model.parameters())))
    assert again.parameters() == model.parameters()
    for day in (30, 59):
        one, other = model.value(panel, day), again.value(panel, day)
        for field in ("fair", "lower", "upper", "status"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 100), cut=st.integers(5, 39))
def test_the_future_does_not_affect_a_value(name: str, seed: int, cut: int) -> None:
    panel = panel_of(market_like(40, 15, seed), low=market_like(40, 15, seed + 1))
    model = create(name, 3).fit(panel.up_to(cut))
    one, other = model.value(panel, cut), model.value(panel.up_to(cut), cut)
    for field in ("fair", "lower", "upper", "status"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("days", [1, 2, 5])
def test_a_few_days_give_a_value_near_the_last_quote(name: str, days: int) -> None:
    panel = panel_of(10.0 + np.arange(days)[:, None] + np.zeros(3))
    values = create(name, 1).fit(panel).value(panel, days - 1)
    assert np.all(np.abs(np.log(values.fair / panel.market[-1])) < 0.2)
    assert np.isnan(values.lower).all()  # of three cards too few moves are known
    assert np.isnan(values.upper).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_card_never_quoted_has_no_value_and_others_do(name: str) -> None:
    prices = market_like(30, 6, gaps=0.0)
    prices[:, 0] = np.nan
    values = create(name, 3).fit(panel_of(prices)).value(panel_of(prices), 29)
    assert np.isnan(values.fair[0])
    quoted = np.isfinite(prices).any(axis=0)
    assert np.isfinite(values.fair[quoted]).all()


def test_a_fitted_model_knows_the_day_it_was_trained_until() -> None:
    panel = panel_of(market_like(20, 5))
    assert create("median7", 2).trained_until is None
    assert create("median7", 2).fit(panel).trained_until == date(2025, 1, 25)
    assert create("median7", 2).fit(panel, until=9).trained_until == date(2025, 1, 15)


def test_unknown_models_and_horizons_are_refused() -> None:
    with pytest.raises(ValueError, match="got 'oracle'"):
        create("oracle", 7)
    with pytest.raises(ValueError, match="at least 1 day, got 0"):
        create("median7", 0)
