"""The probability that a quote is the same at the horizon.

A logistic regression on the features of a card (`error_model`) predicts its odds. They are
corrected by tenth of the predicted odds, and then by price within a tenth, so that as many quotes
stay as are expected to. With few independent outcomes in a group, the frequency there is shrunk to
the predicted one, by an empirical-Bayes weight of PRIOR_UNITS outcomes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.error_model import (
    PRICE_CLASSES,
    TERMS,
    fit_logit,
    price_class,
    sigmoid,
)
from pokewatch.valuation.least_squares import weighted_sum
from pokewatch.valuation.panel import Bools, Floats

PRIOR_UNITS = 60.0
_MIN_OUTCOMES = 200  # for the regression; with fewer, all cards have the same odds
_TENTHS = tuple(tenth / 10 for tenth in range(1, 10))
_CELLS = (len(_TENTHS) + 1) * PRICE_CLASSES
_STEPS = 20  # of Newton's method, at most
_CONVERGED = 1e-10  # log odds
_MAX_STEP = 1.0  # log odds

Ints = NDArray[np.int64]


class UnchangedQuotes:
    """The fitted probabilities; `parameters` is their state as plain JSON."""

    def __init__(self, parameters: Mapping[str, Any] | None = None) -> None:
        given = parameters or {}
        self._logit = np.asarray(given.get("logit", (0.0,) * TERMS))
        self._cuts = np.asarray(given.get("cuts", (0.0,) * len(_TENTHS)))
        self._offsets = np.asarray(given.get("offsets", (0.0,) * _CELLS))

    def fit(
        self, terms: list[Floats], values: NDArray[np.float32], unchanged: Bools, unit: Ints
    ) -> None:
        """Fit on outcomes [m], of which those with the same `unit` [m] overlap.

        Units are numbered from 0. `terms` are the `error_terms` of the features `values` [m, F].
        """
        self._logit, self._offsets = np.zeros(TERMS), np.zeros(_CELLS)
        if len(unchanged) >= _MIN_OUTCOMES:
            self._logit = fit_logit(terms, unchanged)
        else:
            frequency = (np.count_nonzero(unchanged) + 0.5) / (len(unchanged) + 1)
            self._logit[0] = np.log(frequency / (1 - frequency))
        odds = weighted_sum(terms, self._logit)
        self._cuts = np.quantile(odds, _TENTHS)
        cell = self._cell(odds, values)
        for cells in (PRICE_CLASSES, 1):
            group, groups = cell // cells, _CELLS // cells
            found = _offsets(odds + self._offsets[cell], unchanged, unit, group, groups)
            self._offsets = self._offsets + np.repeat(found, cells)

    def chance(self, terms: list[Floats], values: NDArray[np.float32]) -> Floats:
        """Return the probability [m] that each quote stays the same."""
        odds = weighted_sum(terms, self._logit)
        return sigmoid(odds + self._offsets[self._cell(odds, values)])

    def parameters(self) -> dict[str, Any]:
        return {
            "logit": self._logit.tolist(),
            "cuts": self._cuts.tolist(),
            "offsets": self._offsets.tolist(),
        }

    def _cell(self, odds: Floats, values: NDArray[np.float32]) -> Ints:
        return np.searchsorted(self._cuts, odds) * PRICE_CLASSES + price_class(values)


def _offsets(odds: Floats, unchanged: Bools, unit: Ints, group: Ints, groups: int) -> Floats:
    """Return what to add to the log odds [m] of each group, [groups].

    The mean probability is then the shrunk frequency of the group.
    """
    rows = np.maximum(np.bincount(group, minlength=groups), 1)
    units = _units(unit, group, groups)
    observed = np.bincount(group, unchanged, minlength=groups) / rows
    predicted = np.bincount(group, sigmoid(odds), minlength=groups) / rows
    wanted = (units * observed + PRIOR_UNITS * predicted) / (units + PRIOR_UNITS)
    offsets = np.zeros(groups)
    for _ in range(_STEPS):
        chance = sigmoid(odds + offsets[group])
        missing = wanted - np.bincount(group, chance, minlength=groups) / rows
        slope = np.bincount(group, chance * (1.0 - chance), minlength=groups) / rows
        step = np.divide(missing, slope, out=np.zeros(groups), where=slope > 0)
        offsets = offsets + np.clip(step, -_MAX_STEP, _MAX_STEP)
        # A group without rows has no slope, and stays as it is.
        left = (np.abs(step) > _CONVERGED)[group]
        odds, group = odds[left], group[left]
        if not len(group):
            break
    return offsets


def _units(unit: Ints, group: Ints, groups: int) -> Ints:
    """Return the number of units in each group, [groups]; `unit` [m] are numbered from 0."""
    seen = np.zeros((unit.max(initial=0) + 1, groups), dtype=np.bool_)
    seen[unit, group] = True
    found: Ints = np.count_nonzero(seen, axis=0)
    return found
