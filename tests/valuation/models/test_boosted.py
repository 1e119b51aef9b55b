import re
from datetime import date

import numpy as np
import pytest

from pokewatch.valuation.features import COLUMN
from pokewatch.valuation.models import boosted, create
from pokewatch.valuation.models.linear import linear_move
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.training_set import (
    TrainingSet,
    build_training_set,
    concatenate,
    training_days,
)
from tests.valuation.panels import panel_of


def panel_with_leading_asks(days: int = 70, cards: int = 400) -> Panel:
    """Return cards whose lowest ask leads the quote by a week; a local level ignores asks."""
    rng = np.random.default_rng(4)
    quotes = 3.0 + np.cumsum(rng.normal(0, 0.03, (days + 7, cards)), axis=0)
    return panel_of(
        np.exp(quotes[:days]), low=np.exp(quotes[7:] + rng.normal(0, 0.02, (days, cards)))
    )


@pytest.fixture(scope="module")
def panel() -> Panel:
    return panel_with_leading_asks()


@pytest.fixture(scope="module")
def training_set(panel: Panel) -> TrainingSet:
    return build_training_set(panel, 7, training_days(panel.dates, 7))


def off(model: str, panel: Panel, until: int) -> float:
    fair = create(model, 7).fit(panel, until=until).value(panel, until).fair
    return float(np.abs(np.log(fair / panel.market[until + 7])).mean())


@pytest.mark.slow
def test_it_uses_the_asks(panel: Panel) -> None:
    assert off("boosted", panel, 60) < 0.6 * off("local_level", panel, 60)


def test_it_is_the_local_level_where_there_is_too_little_to_learn_from(panel: Panel) -> None:
    few = panel.select(np.arange(panel.cards) < 10).up_to(20)
    one, other = create("boosted", 7).fit(few), create("local_level", 7).fit(few)
    np.testing.assert_array_equal(one.value(few, 20).fair, other.value(few, 20).fair)
    assert one.parameters()["learnt"]["trees"] == []


@pytest.mark.slow
def test_an_interval_is_calibrated_on_errors_of_held_out_cards(
    training_set: TrainingSet,
) -> None:
    """The targets are noise: overfitting them must not make the interval narrow."""
    rng = np.random.default_rng(0)
    noise = concatenate([training_set])
    noise.target[:] = rng.standard_t(4, len(noise)) * 0.1
    model = create("boosted", 7)
    model.fit_training_set(noise, until=date(2025, 3, 1))
    moves = model.move(noise.values)
    spread = model._intervals.spread(noise.values, moves)
    below, above = spread.below, spread.above
    fresh = rng.standard_t(4, len(noise)) * 0.1 - moves
    assert ((fresh >= below) & (fresh <= above)).mean() == pytest.approx(0.9, abs=0.015)


def test_shuffled_outcomes_give_no_skill(training_set: TrainingSet) -> None:
    shuffled = concatenate([training_set])
    shuffled.target[:] = np.random.default_rng(0).permutation(shuffled.target)
    model = create("boosted", 7)
    model.fit_forecast(shuffled)
    skill = (
        np.abs(training_set.target - model.move(training_set.values)).sum()
        / np.abs(training_set.target).sum()
    )
    assert skill > 0.985


def test_an_outcome_among_the_features_would_be_detected(training_set: TrainingSet) -> None:
    """The test above can fail: a leaked outcome gives the same model impossible skill."""
    leaked = concatenate([training_set])
    leaked.target[:] = np.random.default_rng(0).permutation(leaked.target)
    leaked.values[:, COLUMN["momentum_7"]] = leaked.target
    model = create("boosted", 7)
    model.fit_forecast(leaked)
    assert (
        np.abs(leaked.target - model.move(leaked.values)).sum() < 0.5 * np.abs(leaked.target).sum()
    )


@pytest.mark.parametrize(
    ("horizon", "boosters", "leaves"),
    [(62, 20, range(2, 8)), (7, 20, range(8, 16)), (3, 4, range(16, 64))],
)
def test_the_more_independent_observations_the_larger_the_trees(
    training_set: TrainingSet, horizon: int, boosters: int, leaves: range
) -> None:
    model = create("boosted", horizon)
    model.fit_forecast(training_set)  # 400 cards on 63 days
    trees = model.fitted["trees"]
    assert len(trees) == boosters
    assert max(map(int, re.findall(r"num_leaves=(\d+)", trees[0]))) in leaves


def test_without_rows_the_size_is_the_smallest() -> None:
    assert boosted._size_for(concatenate([]), 7) is boosted._SMALL


@pytest.mark.parametrize(
    ("days", "first"), [(63, 10), (20, 10), (12, 6), (1, 0)], ids=["long", "even", "short", "one"]
)
def test_a_panels_first_days_are_left_out_but_no_more_than_half(
    training_set: TrainingSet, days: int, first: int
) -> None:
    rows = training_set.select(training_set.day < days)
    assert boosted._after_warm_up(rows, 10).day.min() == first


def test_a_groups_moves_count_only_over_many_horizons(training_set: TrainingSet) -> None:
    assert len(boosted.Boosted(7)._features(training_set)) == len(boosted.FEATURES) + len(
        boosted.GROUP_FEATURES
    )
    assert len(boosted.Boosted(8)._features(training_set)) == len(boosted.FEATURES)


def test_averages_of_sales_add_a_linear_forecast_at_long_horizons(
    training_set: TrainingSet,
) -> None:
    rows = training_set.select(training_set.day < 20)
    rows.values[:, COLUMN["avg7"]] = rows.values[:, COLUMN["avg30"]] = rows.target / 2
    model = create("boosted", boosted._MIN_LINEAR_HORIZON)
    model.fit_forecast(rows)
    coefficients = model.fitted["linear"]
    trees = create("boosted", model.horizon, {"learnt": {**model.fitted, "linear": []}})
    dormant = np.arange(len(rows)) % 2 == 0
    rows.values[dormant, COLUMN["fresh_share"]] = 0.0
    added = np.where(dormant, 0.0, 0.5 * linear_move(coefficients, rows.values))
    assert np.abs(added).max() > 0.01
    assert not trees.move(rows.values)[dormant].any()
    np.testing.assert_allclose(model.move(rows.values), 0.5 * trees.move(rows.values) + added)
    np.testing.assert_allclose(model._held_out(rows), 0.5 * trees._held_out(rows) + added)


def test_no_linear_forecast_is_fitted_to_dormant_cards(training_set: TrainingSet) -> None:
    rows = training_set.select(training_set.day < 20)
    rows.values[:, COLUMN["avg30"]] = 0.1
    rows.values[:, COLUMN["fresh_share"]] = 0.0
    model = create("boosted", boosted._MIN_LINEAR_HORIZON)
    model.fit_forecast(rows)
    assert model.fitted["trees"]
    assert "linear" not in model.fitted


@pytest.mark.parametrize("name", ["local_level", "boosted"])
def test_a_quote_that_was_not_renewed_for_days_is_forecast_to_stay(
    training_set: TrainingSet, name: str
) -> None:
    model = create(name, 7)
    model.fit_forecast(training_set)
    values = training_set.values[training_set.day == 40]
    assert np.any(model.move(values) != 0)
    values[:, COLUMN["stale_days"]] = 4
    assert not model.move(values).any()


def test_the_quote_of_a_card_that_hardly_sells_is_forecast_to_stay(
    training_set: TrainingSet,
) -> None:
    model = create("boosted", 7)
    model.fit_forecast(training_set)
    values = training_set.values[training_set.day == 40]
    values[::2, COLUMN["fresh_share"]] = 1 / 28
    moves = model.move(values)
    assert not moves[::2].any()
    assert moves[1::2].all()


@pytest.mark.parametrize(("horizon", "averages"), [(7, True), (30, False)])
def test_without_averages_of_sales_or_at_short_horizons_there_is_no_linear_forecast(
    training_set: TrainingSet, horizon: int, averages: bool
) -> None:
    rows = training_set.select(training_set.day < 20)
    if averages:
        rows.values[:, COLUMN["avg30"]] = 0.1
    model = create("boosted", horizon)
    model.fit_forecast(rows)
    assert "linear" not in model.fitted
