import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pokewatch.valuation.models import MODELS, Values, create
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.walk_forward import walk_forward
from tests.valuation.panels import market_like, panel_of

FIELDS = ("fair", "lower", "upper", "status")


def walked(panel: Panel, name: str, days: list[int]) -> dict[int, Values]:
    return {features.day: values for features, values in walk_forward(panel, name, 3, days)}


def same(one: Values, other: Values) -> None:
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field), err_msg=field)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 100), cut=st.integers(8, 50))
def test_the_values_of_a_day_do_not_depend_on_later_days(name: str, seed: int, cut: int) -> None:
    prices, low = market_like(60, 15, seed), market_like(60, 15, seed + 1)
    days = [cut // 2, cut - 1, cut]
    whole, past = (
        walked(panel_of(prices, low), name, [*days, 59]),
        walked(panel_of(prices, low).up_to(cut), name, days),
    )
    for day in days:
        same(whole[day], past[day])


@pytest.mark.parametrize("name", MODELS)
def test_a_day_is_valued_by_the_model_that_fitting_on_it_gives(name: str) -> None:
    panel = panel_of(market_like(70, 15))
    for day, values in walked(panel, name, [20, 55, 69]).items():
        past = panel.up_to(day)
        same(values, create(name, 3).fit(past).value(past, day))


def test_the_latest_model_values_days_from_its_training_date() -> None:
    panel = panel_of(market_like(30, 15))
    latest = create("rolling_mean", 3).fit(panel, until=20)
    found = {
        features.day: values
        for features, values in walk_forward(panel, "median7", 3, range(18, 23), latest=latest)
    }
    same(found[20], latest.value(panel, 20))
    same(found[22], latest.value(panel, 22))
    same(found[19], create("median7", 3).fit(panel, until=19).value(panel, 19))


def test_an_untrained_model_raises() -> None:
    with pytest.raises(ValueError, match="has not been trained"):
        list(
            walk_forward(
                panel_of(market_like(10, 3)), "median7", 3, [5], latest=create("median7", 3)
            )
        )
