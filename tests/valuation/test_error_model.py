import numpy as np
import pytest

from pokewatch.valuation.error_model import (
    MIN_SCALE,
    TERMS,
    _penalty,
    error_terms,
    fit_logit,
    fit_scale,
    sigmoid,
)
from pokewatch.valuation.features import COLUMN
from pokewatch.valuation.least_squares import weighted_sum
from tests.valuation.test_intervals import some_errors, some_features, some_moves


def test_errors_are_larger_where_they_are_predicted_to_be() -> None:
    values = some_features(20_000)
    errors, _ = some_errors(values, same=0.0)
    terms = error_terms(values, some_moves(values))
    assert len(terms) == TERMS
    predicted = weighted_sum(terms, fit_scale(terms, errors))
    high = predicted > np.median(predicted)
    assert np.median(np.abs(errors[high])) > 2 * np.median(np.abs(errors[~high]))


def test_errors_grow_faster_than_forecast_moves_that_are_large_for_the_card() -> None:
    """A jump that was real leaves an error of its own size: the price does not return."""
    values, rng = some_features(40_000), np.random.default_rng(3)
    values[:, COLUMN["log_price"]] = np.log(20.0)
    values[:, COLUMN["volatility"]] = rng.choice((0.005, 0.01, 0.02), 40_000)
    ratio = rng.choice((0.0, 1.0, 4.0, 8.0, 16.0), 40_000)
    moves = values[:, COLUMN["volatility"]] * ratio
    sizes = values[:, COLUMN["volatility"]] * np.where(ratio > 4, ratio / 2, 2.0) + MIN_SCALE
    errors = (sizes * rng.choice((0.8, 1.25), 40_000) - MIN_SCALE) * rng.choice((-1, 1), 40_000)
    terms = error_terms(values, moves)
    predicted = np.exp(weighted_sum(terms, fit_scale(terms, errors)))
    for each in np.unique(ratio):
        alike = ratio == each
        assert np.log(predicted / sizes)[alike].mean() == pytest.approx(0.0, abs=0.1)


def test_the_log_odds_are_those_of_the_outcomes() -> None:
    values = some_features(20_000)
    terms, rng = error_terms(values, some_moves(values)), np.random.default_rng(5)
    truth = rng.normal(0, 0.3, TERMS)
    chance = 1 / (1 + np.exp(-weighted_sum(terms, truth)))
    found = weighted_sum(terms, fit_logit(terms, rng.random(20_000) < chance))
    assert np.abs(1 / (1 + np.exp(-found)) - chance).mean() < 0.02


def test_quotes_that_are_renewed_stay_if_their_forecast_rounds_to_the_same_cent() -> None:
    """Three of ten quotes are not renewed, and stay however far the forecast is."""
    rng, rows = np.random.default_rng(3), 40_000
    values = some_features(rows)
    last = np.round(np.exp(rng.uniform(np.log(5), np.log(500), rows)))  # cents
    values[:, COLUMN["log_price"]] = np.log(last / 100)
    moves = rng.normal(0.0, 3 * (values[:, COLUMN["volatility"]] + 0.002))
    then = np.round(last * np.exp(moves + rng.normal(0.0, 0.02, rows)))
    unchanged = (then == last) | (rng.random(rows) < 0.3)
    terms, cents = error_terms(values, moves), np.abs(last * moves)
    stated = sigmoid(weighted_sum(terms, fit_logit(terms, unchanged)))
    distance = np.searchsorted((0.25, 0.5, 0.75, 1.0, 2.0, 5.0), cents)
    gaps = [(stated - unchanged)[distance == each].mean() for each in range(7)]
    assert np.abs(gaps).mean() < 0.055


def test_no_other_log_odds_are_more_likely() -> None:
    values = some_features(20_000)
    terms, rng = error_terms(values, some_moves(values)), np.random.default_rng(5)
    outcome = rng.random(20_000) < 0.2 + 0.6 * values[:, COLUMN["fresh_share"]]
    found = fit_logit(terms, outcome)
    missing = np.stack(terms) @ (outcome - sigmoid(weighted_sum(terms, found)))
    np.testing.assert_allclose(missing, np.diag(_penalty(TERMS, 20_000)) * found, atol=1e-5)


def test_the_scale_is_that_of_least_squares() -> None:
    values = some_features(2_000)
    errors, _ = some_errors(values, same=0.0)
    terms = error_terms(values, some_moves(values))
    rows = np.stack(terms)
    expected = np.linalg.solve(
        rows @ rows.T + _penalty(TERMS, 2_000), rows @ np.log(np.abs(errors) + MIN_SCALE)
    )
    np.testing.assert_allclose(fit_scale(terms, errors), expected, rtol=1e-6)


@pytest.mark.parametrize("outcome", [True, False])
def test_an_outcome_that_never_varies_has_finite_odds(outcome: bool) -> None:
    terms = error_terms(some_features(500), np.zeros(500))
    assert np.isfinite(fit_logit(terms, np.full(500, outcome))).all()
