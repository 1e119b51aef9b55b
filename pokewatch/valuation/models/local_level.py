"""The robust local level: where quotes are noise around a slow level, go there; where they lag behind sales, go beyond.

The level itself is `features._LocalLevel`. How slow it is (the ratio of drift to noise) and how far to go towards it is learnt
by absolute error, against repeating the last quote: per liquidity and distance from the level, for a quote far off is more
likely a stray one than one a little off. Cells of few pairs lean on what is best over all liquidities.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.features import COLUMN, LEVELS
from pokewatch.valuation.intervals import LIQUIDITIES, liquidity_of
from pokewatch.valuation.models.model import Model
from pokewatch.valuation.panel import Floats
from pokewatch.valuation.training_set import TrainingSet

STEPS = tuple(
    np.round(np.arange(-0.5, 1.26, 0.125), 3).tolist()
)  # shares of the way from the last quote to the level
DISTANCES = (0.05, 0.15, 0.4)  # log: edges of the classes of distance from the level
LARGEST_STEP = 1.0  # log
_LEAN = 30.0  # pairs' worth of weight on what is best over all liquidities
_CAUTION = 0.002  # a step away from the last quote must save this share of the error

_SHAPE = len(LIQUIDITIES), len(DISTANCES) + 1


class LocalLevel(Model):
    name = "local_level"

    def move(self, values: NDArray[np.float32]) -> Floats:
        distance = values[:, COLUMN[LEVELS[self._level]]].astype(np.float64)
        step = self._step[liquidity_of(values), _distance_class(distance)]
        return np.clip(step * distance, -LARGEST_STEP, LARGEST_STEP)

    def _learn(self, pairs: TrainingSet) -> dict[str, Any]:
        if len(pairs) == 0:
            return {}
        learnt = [_steps(pairs, level) for level in LEVELS]
        best = int(np.argmin([loss for loss, _ in learnt]))
        return {"level": best, "step": learnt[best][1].tolist()}

    def _restore(self, learnt: Mapping[str, Any]) -> None:
        super()._restore(learnt)
        self._level = int(learnt.get("level", 0))
        self._step = np.asarray(learnt.get("step", np.zeros(_SHAPE)), dtype=np.float64)


def _steps(pairs: TrainingSet, level: str) -> tuple[float, Floats]:
    """The absolute error of the best steps towards `level`, and the steps [liquidity, distance class]."""
    distance = pairs.column(level).astype(np.float64)
    cell = liquidity_of(pairs.values) * _SHAPE[1] + _distance_class(distance)
    losses = np.stack(
        [_loss_by_cell(pairs.target, distance, step, cell) for step in STEPS], axis=-1
    ).reshape(*_SHAPE, len(STEPS))
    count = np.bincount(cell, minlength=_SHAPE[0] * _SHAPE[1]).reshape(_SHAPE)
    everyone = losses.sum(axis=0) / np.maximum(count.sum(axis=0), 1)[:, None]
    chosen = np.argmin(losses + _LEAN * everyone, axis=-1)
    found = np.take_along_axis(losses, chosen[..., None], axis=-1).sum()
    return float(found), np.asarray(STEPS)[chosen]


def _loss_by_cell(target: Floats, distance: Floats, step: float, cell: NDArray[np.int64]) -> Floats:
    error = np.abs(target - np.clip(step * distance, -LARGEST_STEP, LARGEST_STEP)) * (
        1.0 + _CAUTION * (step != 0)
    )
    return np.bincount(cell, weights=error, minlength=_SHAPE[0] * _SHAPE[1]).astype(
        np.float64, copy=False
    )


def _distance_class(distance: Floats) -> NDArray[np.int64]:
    return np.searchsorted(DISTANCES, np.abs(distance))
