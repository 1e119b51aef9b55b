"""The robust local level: forecasts a step from the last quote towards a filtered level.

Where quotes are noise around a slow level, the step leads to the level; where quotes lag behind
sales, it leads away from it. The level itself is that of `LevelFilter`. Its ratio of drift to
noise and the length of the step, per liquidity and distance from the level, minimise the absolute
error of the moves that cards do not share (`common_move`). Cells with few rows are shrunk towards
the best step over all liquidities. A quote that was not renewed in the last three days is forecast
to stay: most such quotes do.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.features import COLUMN, LEVELS
from pokewatch.valuation.intervals import LIQUIDITIES, is_recent, liquidity_of
from pokewatch.valuation.models.common_move import without_common_move
from pokewatch.valuation.models.model import Model
from pokewatch.valuation.panel import Floats
from pokewatch.valuation.training_set import TrainingSet

# Shares of the way from the last quote to the level.
STEPS = tuple(np.round(np.arange(-0.5, 1.26, 0.125), 3).tolist())
DISTANCES = (0.05, 0.15, 0.4)  # log: the edges of the classes of distance from the level
MAX_STEP = 1.0  # log
_POOLING = 30.0  # rows' worth of weight on the best step over all liquidities
_MIN_ROWS = 30  # rows of a cell before its step may lead away from the level or beyond it
_STEP_PENALTY = 0.002  # the share of the error that a step from the last quote must save

_SHARES = np.asarray(STEPS)
_BY_SIZE = np.argsort(np.abs(_SHARES), kind="stable")
_SHAPE = len(LIQUIDITIES), len(DISTANCES) + 1


class LocalLevel(Model):
    name = "local_level"

    def move(self, values: NDArray[np.float32]) -> Floats:
        distance = values[:, COLUMN[LEVELS[self._level]]].astype(np.float64)
        step = self._step[liquidity_of(values), _distance_class(distance)]
        return np.clip(step * distance, -MAX_STEP, MAX_STEP) * is_recent(values)

    def _fit_forecast(self, training_set: TrainingSet) -> dict[str, Any]:
        if len(training_set) == 0:
            return {}
        target = without_common_move(training_set.target, training_set.day)
        liquidity = liquidity_of(training_set.values)
        steps = [
            _steps(target, training_set.column(level).astype(np.float64), liquidity)
            for level in LEVELS
        ]
        best = int(np.argmin([loss for loss, _ in steps]))
        return {"level": best, "step": steps[best][1].tolist()}

    def _restore(self, fitted: Mapping[str, Any]) -> None:
        super()._restore(fitted)
        self._level = int(fitted.get("level", 0))
        self._step = np.asarray(fitted.get("step", np.zeros(_SHAPE)), dtype=np.float64)


def _steps(target: Floats, distance: Floats, liquidity: NDArray[np.int64]) -> tuple[float, Floats]:
    """Return the absolute error of the best steps, and the steps [liquidity, distance class].

    `target` and `distance` [m] are the log moves and the distances from the level of each row.
    """
    cell = liquidity * _SHAPE[1] + _distance_class(distance)
    order = np.argsort(cell.astype(np.int8), kind="stable")  # 8 bits: a radix sort
    count = np.bincount(cell, minlength=_SHAPE[0] * _SHAPE[1])
    losses = _losses(target[order], distance[order], count).reshape(*_SHAPE, len(STEPS))
    count = count.reshape(_SHAPE)
    overall = losses.sum(axis=0) / np.maximum(count.sum(axis=0), 1)[:, None]
    total = losses + _POOLING * overall
    total[(count < _MIN_ROWS)[..., None] & ((_SHARES < 0) | (_SHARES > 1))] = np.inf
    # Of equal losses, the smallest step: a cell that nothing is known of stays at the quote.
    chosen = _BY_SIZE[np.argmin(total[..., _BY_SIZE], axis=-1)]
    found = np.take_along_axis(losses, chosen[..., None], axis=-1).sum()
    return float(found), _SHARES[chosen]


def _losses(target: Floats, distance: Floats, count: NDArray[np.int64]) -> Floats:
    """Return the absolute error of each of STEPS in each cell, [cells, steps].

    The rows [m] are in the order of their cells, which have `count` [cells] of them.
    """
    used = np.flatnonzero(count)
    first = (np.cumsum(count) - count)[used]
    largest, error = np.abs(distance).max(), np.empty(len(distance))
    losses = np.zeros((len(count), len(STEPS)))
    for number, step in enumerate(STEPS):
        np.multiply(distance, step, out=error)
        if largest * abs(step) > MAX_STEP:
            np.clip(error, -MAX_STEP, MAX_STEP, out=error)
        np.abs(np.subtract(target, error, out=error), out=error)
        losses[used, number] = np.add.reduceat(error, first)
    losses[:, _SHARES != 0] *= 1.0 + _STEP_PENALTY
    return losses


def _distance_class(distance: Floats) -> NDArray[np.int64]:
    return np.searchsorted(DISTANCES, np.abs(distance))
