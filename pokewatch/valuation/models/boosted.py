"""Boosted trees on what the local level leaves over: what else a dealer would look at.

The cards are dealt into folds, and a booster for each learns from the other folds (LightGBM, absolute error, so that the
forecast is a median). The forecast is the mean of all; the errors that calibrate the interval are those of the fold that a
booster has not seen. Trees are kept as text.

Residuals are divided by the square root of how much a card moves, and weighted by it: cards then teach each other the shape
of a move whatever its size, and the sum that is minimised stays the absolute error.
"""

from collections.abc import Mapping
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.features import COLUMN
from pokewatch.valuation.models.local_level import LocalLevel
from pokewatch.valuation.models.model import Model
from pokewatch.valuation.pairs import Pairs, mixed
from pokewatch.valuation.panel import Floats
from pokewatch.valuation.processors import usable_processors

MOST_ROWS = 300_000
_LEAST_ROWS = 1_000
_LEAST_MOVE = 0.002  # a day, log
_LEAST_DAYS = 5
_ROWS_WORTH_THREADS = 50_000
_UNTAUGHT = (28, 14, 7)  # days of a panel's beginning, when features know little; left out where half of all days remain
_LARGEST_RESIDUAL = 1.0  # log: a single card teaches no more than that
_GROUP_FEATURES = ("group_since_fresh", "group_move_7", "set_move_7", "rarity_move_7", "market_move_7")
_GROUP_HORIZONS = 8  # a group's move is one observation a horizon, however many cards are in it

_COMMON: Mapping[str, Any] = {
    "objective": "regression_l1",
    "learning_rate": 0.05,
    "min_data_in_leaf": 100,
    "bagging_freq": 1,
    "bagging_fraction": 0.8,
    "max_bin": 255,
    "seed": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
_SMALL: Mapping[str, Any] = {"num_leaves": 7, "num_iterations": 60, "feature_fraction": 0.5, "lambda_l2": 10.0}
_LARGE: Mapping[str, Any] = {"num_leaves": 31, "num_iterations": 200, "feature_fraction": 0.7, "lambda_l2": 1.0}
_LARGE_FROM = 5_000  # cards times horizons, which overlapping outcomes do not multiply


class Boosted(Model):
    name = "boosted"

    def move(self, values: NDArray[np.float32]) -> Floats:
        moves = self._base.move(values)
        for booster in self._boosters:
            moves = moves + self._residual(booster, values) / len(self._boosters)
        return moves

    def _learn(self, pairs: Pairs) -> dict[str, Any]:
        base = LocalLevel(self.horizon)
        base.fit_forecast(pairs)
        learnt = {"base": base.learnt, "features": [], "trees": []}
        pairs = _teaching(pairs)
        if len(pairs) < _LEAST_ROWS or len(np.unique(pairs.day)) < _LEAST_DAYS:
            return learnt
        features = self._features(pairs)
        size, folds = (_LARGE, 2) if self._worth(pairs) >= _LARGE_FROM else (_SMALL, 5)
        scale = _scale(pairs.values)
        residual = np.clip(pairs.target - base.move(pairs.values), -_LARGEST_RESIDUAL, _LARGEST_RESIDUAL) / scale
        trees = []
        for fold in range(folds):
            seen = pairs.key % folds != fold
            trees.append(_grow(pairs.values[seen][:, features], residual[seen], scale[seen], size))
        return learnt | {"features": features, "trees": trees}

    def _restore(self, learnt: Mapping[str, Any]) -> None:
        super()._restore(learnt)
        self._base = LocalLevel(self.horizon, {"learnt": learnt.get("base", {})})
        self._columns = np.asarray(learnt.get("features", []), dtype=np.int64)
        self._boosters = [lightgbm.Booster(model_str=trees) for trees in learnt.get("trees", [])]

    def _held_out(self, pairs: Pairs) -> Floats:
        moves = self._base.move(pairs.values)
        for fold, booster in enumerate(self._boosters):
            unseen = pairs.key % len(self._boosters) == fold
            if unseen.any():
                moves[unseen] += self._residual(booster, pairs.values[unseen])
        return moves

    def _residual(self, booster: lightgbm.Booster, values: NDArray[np.float32]) -> Floats:
        threads = usable_processors() if len(values) >= _ROWS_WORTH_THREADS else 1
        found = booster.predict(values[:, self._columns], num_threads=threads)
        return np.asarray(found, dtype=np.float64) * _scale(values)

    def _features(self, pairs: Pairs) -> list[int]:
        span = int(pairs.day.max()) - int(pairs.day.min())
        left_out = () if span >= _GROUP_HORIZONS * self.horizon else _GROUP_FEATURES
        return [column for name, column in COLUMN.items() if name not in left_out]

    def _worth(self, pairs: Pairs) -> float:
        """Independent observations, as far as they go: overlapping outcomes of one card are one."""
        return len(np.unique(pairs.card)) * max(1.0, (int(pairs.day.max()) - int(pairs.day.min())) / self.horizon)


def _grow(values: NDArray[np.float32], residual: Floats, weight: Floats, size: Mapping[str, Any]) -> str:
    threads = usable_processors() if len(residual) >= _ROWS_WORTH_THREADS else 1
    given = {**_COMMON, **size, "num_threads": threads}
    booster = lightgbm.train(given, lightgbm.Dataset(values, label=residual, weight=weight, params=given))
    # What follows the trees names the number of threads, which must not make two models differ.
    text: str = booster.model_to_string()
    return text[: text.index("end of trees") + len("end of trees")] + "\n"


def _scale(values: NDArray[np.float32]) -> Floats:
    """Square root of the card's mean daily move [m]."""
    moved = np.nan_to_num(values[:, COLUMN["volatility"]].astype(np.float64))
    return np.sqrt(np.maximum(moved, _LEAST_MOVE))


def _teaching(pairs: Pairs) -> Pairs:
    """The pairs to grow trees on: of days whose features know enough of the past, at most `MOST_ROWS`."""
    days = np.unique(pairs.day)
    first = next((first for first in _UNTAUGHT if 2 * (days >= first).sum() >= len(days)), 0)
    pairs = pairs.select(pairs.day >= first)
    if len(pairs) > MOST_ROWS:
        turn = mixed(pairs.key + pairs.day.astype(np.uint32))
        pairs = pairs.select(np.sort(np.argsort(turn, kind="stable")[:MOST_ROWS]))
    return pairs
