"""The robust local level: where quotes are noise around a slow level, go there; where they lag behind sales, go beyond.

The level itself is `features._LocalLevel`. How much to follow (the ratio of drift to noise) and how far to go towards the
level is learnt per liquidity: by absolute error, against repeating the last quote, with groups of few pairs leaning on all.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.features import COLUMN, LEVELS
from pokewatch.valuation.intervals import LIQUIDITIES, liquidity_of
from pokewatch.valuation.models.model import Model
from pokewatch.valuation.pairs import Pairs
from pokewatch.valuation.panel import Floats

STEPS = tuple(np.round(np.arange(-0.5, 1.26, 0.125), 3).tolist())  # shares of the way from the last quote to the level
_LEAN = 300.0  # pairs' worth of weight on what is best over all groups
_CAUTION = 0.002  # a step away from the last quote must save this share of the error


class LocalLevel(Model):
    name = "local_level"

    def move(self, values: NDArray[np.float32]) -> Floats:
        liquidity = liquidity_of(values[:, COLUMN["fresh_share"]])
        to_level = values[:, [COLUMN[name] for name in LEVELS]].astype(np.float64)
        moves: Floats = self._step[liquidity] * to_level[np.arange(len(values)), self._level[liquidity]]
        return moves

    def _learn(self, pairs: Pairs) -> dict[str, Any]:
        if len(pairs) == 0:
            return {}
        liquidity = liquidity_of(pairs.column("fresh_share"))
        losses = np.stack([_losses(pairs, liquidity == group) for group in range(len(LIQUIDITIES))])
        everyone = losses.sum(axis=0) / len(pairs)
        best = [np.unravel_index(np.argmin(loss + _LEAN * everyone), loss.shape) for loss in losses]
        return {"level": [int(level) for level, _ in best], "step": [STEPS[step] for _, step in best]}

    def _restore(self, learnt: Mapping[str, Any]) -> None:
        super()._restore(learnt)
        self._level = np.asarray(learnt.get("level", [0] * len(LIQUIDITIES)), dtype=np.int64)
        self._step = np.asarray(learnt.get("step", [0.0] * len(LIQUIDITIES)), dtype=np.float64)


def _losses(pairs: Pairs, rows: NDArray[np.bool_]) -> Floats:
    """Sum of absolute errors [levels, steps] of the rows, with a margin on every step but the one of repeating the last quote."""
    target = pairs.target[rows]
    losses = np.empty((len(LEVELS), len(STEPS)))
    for level, name in enumerate(LEVELS):
        to_level = pairs.column(name)[rows].astype(np.float64)
        for index, step in enumerate(STEPS):
            losses[level, index] = np.abs(target - step * to_level).sum() * (1.0 + _CAUTION * (step != 0))
    return losses
