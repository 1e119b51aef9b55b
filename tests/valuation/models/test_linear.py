import numpy as np
import pytest

from pokewatch.valuation.features import COLUMN, NAMES
from pokewatch.valuation.models.linear import TERMS, fit_coefficients, linear_move
from pokewatch.valuation.training_set import TrainingSet

TRUE = np.array([0.5, 0.3, 0.0, 0.2, 0.0])


def training_set(rows: int = 4_000, days: int = 40) -> TrainingSet:
    """Return rows whose target is linear in the terms, with heavy-tailed noise."""
    rng = np.random.default_rng(0)
    values = np.zeros((rows, len(NAMES)), dtype=np.float32)
    terms = rng.normal(0, 0.1, (rows, len(TERMS)))
    values[:, [COLUMN[name] for name in TERMS]] = terms
    return TrainingSet(
        day=np.arange(rows, dtype=np.int32) % days,
        card=np.arange(rows, dtype=np.int32) // days,
        key=np.arange(rows, dtype=np.uint32),
        values=values,
        last=np.zeros(rows),
        target=terms @ TRUE + 0.02 * rng.standard_t(2, rows),
        renewed=np.ones(rows, dtype=np.bool_),
        new=np.zeros(rows, dtype=np.bool_),
    )


def test_the_coefficients_are_recovered_from_noise_with_heavy_tails() -> None:
    rows = training_set()
    assert fit_coefficients(rows) == pytest.approx(TRUE, abs=0.03)
    rows.target[:40] = 50.0  # a few absurd outcomes, one a day
    assert fit_coefficients(rows) == pytest.approx(TRUE, abs=0.05)


def test_the_absolute_error_is_least_at_the_coefficients() -> None:
    rows = training_set()
    found = np.array(fit_coefficients(rows))
    least = np.abs(rows.target - linear_move(found.tolist(), rows.values)).sum()
    for step in 0.1 * np.vstack([np.eye(len(TERMS)), -np.eye(len(TERMS))]):
        error = np.abs(rows.target - linear_move((found + step).tolist(), rows.values)).sum()
        assert error > least


def test_what_all_cards_of_a_day_did_is_not_learnt() -> None:
    rows = training_set()
    shared = training_set()
    shared.target[:] += np.random.default_rng(1).normal(0, 0.5, 40)[shared.day]
    assert fit_coefficients(shared) == pytest.approx(fit_coefficients(rows), abs=0.05)


def test_a_forecast_does_not_depend_on_the_number_of_other_cards() -> None:
    values = training_set().values
    coefficients = [0.28378, 0.261, 0.233191, 0.0744517, -0.0764]
    every = linear_move(coefficients, values)
    for cards in range(1, 40):
        np.testing.assert_array_equal(linear_move(coefficients, values[:cards]), every[:cards])


def test_an_unknown_term_counts_as_zero() -> None:
    values = np.full((2, len(NAMES)), np.nan, dtype=np.float32)
    values[1, COLUMN["avg30"]] = 0.1
    assert linear_move([1.0, 2.0, 1.0, 1.0, 1.0], values) == pytest.approx([0.0, 0.2])


def test_a_card_far_from_its_averages_limits_the_fit_and_not_its_forecast() -> None:
    rows = training_set()
    far = training_set()
    far.values[:40, COLUMN["avg30"]] = 5.0  # a quote at a hundredth of them, one a day
    assert fit_coefficients(far) == pytest.approx(fit_coefficients(rows), abs=0.05)
    assert linear_move([0.0, 0.5, 0.0, 0.0, 0.0], far.values)[0] == pytest.approx(2.5)
