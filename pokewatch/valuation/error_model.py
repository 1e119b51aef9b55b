"""Two regressions on a card's features and its forecast: the error's size, P(unchanged quote).

They rank cards within the cells of `intervals`, which calibrate them.
"""

import numpy as np
from numpy.typing import NDArray

from pokewatch.decision.distribution import CENT
from pokewatch.valuation.binning import classes_of
from pokewatch.valuation.features import COLUMN
from pokewatch.valuation.least_squares import solve, weighted_products, weighted_sum
from pokewatch.valuation.panel import Bools, Floats

MIN_SCALE = 0.01
_FEATURES = ("volatility", "renewal_odds", "age", "stale_days", "low_spread", "log_price")
TERMS = 14
_RIDGE = 1e-3
_STEPS = 8  # of Newton's method, at most
_CONVERGED = 1e-5  # a step this small leaves an error of about its square
_MAX_LOGIT = 8.0
_PRICE_EDGES = (0.1, 0.25, 0.5, 1.0, 5.0, 20.0, 100.0)  # a cent is a large move of a cheap card
PRICE_CLASSES = len(_PRICE_EDGES) + 1


def price_class(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the class of price [m], from 0 to PRICE_CLASSES - 1, of features `values` [m, F]."""
    return classes_of(np.exp(values[:, COLUMN["log_price"]]), _PRICE_EDGES, "right")


def error_terms(values: NDArray[np.float32], moves: Floats) -> list[Floats]:
    """Return the terms of both regressions, [m] each.

    They are of the features `values` [m, F] and of the forecast log `moves` [m]: the further a
    quote is from its forecast, the less likely it stays. Quotes are whole cents, so one that is
    forecast to move by less than half a cent often stays. A larger move that is unusual for the
    card is the return of a jump, which may have been real: errors grow faster with it than with the
    volatility, which the jump has raised as well, or with the move alone. The volatility of a card
    below 1 is largely that of its cents, and says less of the errors to come.
    """
    columns = [values[:, COLUMN[name]].astype(np.float64) for name in _FEATURES]
    volatility, renewal, age, stale, ask, price = (
        np.where(np.isfinite(column), column, 0.0) for column in columns
    )
    usual, forecast = volatility + 0.002, np.abs(np.nan_to_num(moves))
    moved, cents_per_log = np.log(usual), np.exp(price) / CENT
    cents = forecast * cents_per_log
    unusual = np.maximum(cents - 0.5, 0.0) / (1.0 + usual * cents_per_log)
    return [
        np.ones(len(values)),
        moved,
        np.square(moved),
        renewal,
        np.log1p(age),
        np.log1p(np.maximum(stale, 0.0)),
        np.minimum(np.abs(ask), 2.0),
        price,
        np.square(price) / 10,
        np.log1p(forecast / MIN_SCALE),
        np.log1p(forecast / usual),
        np.exp(-np.square(cents) / 2),
        np.square(np.log1p(unusual)),
        moved * np.minimum(price, 0.0) / 3,
    ]


def sigmoid(odds: Floats) -> Floats:
    """Return the probability of log odds [m], which are limited to +-_MAX_LOGIT."""
    chance: Floats = np.clip(odds, -_MAX_LOGIT, _MAX_LOGIT)
    np.exp(np.negative(chance, out=chance), out=chance)
    chance += 1.0
    return np.divide(1.0, chance, out=chance)


def fit_scale(terms: list[Floats], errors: Floats) -> Floats:
    """Fit the log of the absolute error by least squares, with a small ridge penalty."""
    rows, sizes = np.stack(terms), np.log(np.abs(errors) + MIN_SCALE)
    squares = weighted_products(rows, np.ones(len(errors))) + _penalty(len(rows), len(errors))
    return solve(squares, np.einsum("im,m->i", rows, sizes))


def fit_logit(terms: list[Floats], outcome: Bools) -> Floats:
    """Fit the log odds of `outcome` by Newton's method, with a small ridge penalty."""
    rows, weights = np.stack(terms), np.zeros(len(terms))
    penalty = _penalty(len(rows), len(outcome))
    for _ in range(_STEPS):
        chance = sigmoid(weighted_sum(terms, weights))
        gradient = np.einsum("im,m->i", rows, outcome - chance) - np.diag(penalty) * weights
        step = solve(weighted_products(rows, chance * (1.0 - chance)) + penalty, gradient)
        weights = weights + step
        if np.abs(step).max() <= _CONVERGED:
            break
    return weights


def _penalty(terms: int, rows: int) -> Floats:
    weight = np.full(terms, _RIDGE * rows)
    weight[0] = 1e-9 * rows
    return np.diag(weight)
