"""A linear forecast from averages of sales and levels, of least absolute deviations.

The coefficients minimise the absolute error by iteratively reweighted least squares (Schlossmacher,
"An iterative technique for absolute deviations curve fitting", JASA 1973), with a small ridge
penalty because the levels are alike. There is no constant term: it would be the move that all
cards of the past shared (`common_move`).

A single card limits what is learnt, but not what is forecast: a quote at a hundredth of the
averages of sales is forecast to return to them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.features import COLUMN, LEVELS
from pokewatch.valuation.least_squares import solve, weighted_products, weighted_sum
from pokewatch.valuation.models.common_move import without_common_move
from pokewatch.valuation.panel import Floats
from pokewatch.valuation.training_set import TrainingSet

TERMS = ("avg7", "avg30", *LEVELS[:3])
_COLUMNS = [COLUMN[name] for name in TERMS]
_MAX = 1.0  # log: limits the weight of a single card in the fit
_RIDGE = 1e-3  # per row
_LEAST_ERROR = 0.01  # log: errors below it count as squares, which keeps the weights finite
_ITERATIONS = 40


def fit_coefficients(training_set: TrainingSet) -> list[float]:
    """Return the coefficient of each of TERMS."""
    terms = np.stack([np.clip(term, -_MAX, _MAX) for term in _terms(training_set.values)])
    target = without_common_move(training_set.target, training_set.day)
    target = np.clip(target, -_MAX, _MAX)
    ridge = _RIDGE * len(target) * np.eye(len(TERMS))
    coefficients: Floats = np.zeros(len(TERMS))
    for _ in range(_ITERATIONS):
        error = np.abs(target - weighted_sum(list(terms), coefficients))
        weights = 1.0 / np.maximum(error, _LEAST_ERROR)
        products = np.einsum("km,m->k", terms, weights * target)
        coefficients = solve(weighted_products(terms, weights) + ridge, products)
    found: list[float] = coefficients.tolist()
    return found


def linear_move(coefficients: Sequence[float], values: NDArray[np.float32]) -> Floats:
    """Return the forecast log move [m] from features [m, F]; an unknown term counts as 0."""
    return weighted_sum(_terms(values), np.asarray(coefficients, dtype=np.float64))


def _terms(values: NDArray[np.float32]) -> list[Floats]:
    return [np.nan_to_num(values[:, column].astype(np.float64)) for column in _COLUMNS]
