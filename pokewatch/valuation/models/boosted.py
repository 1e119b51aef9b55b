"""Boosted trees on what the local level leaves over: what else a dealer would look at.

Several boosters (LightGBM, absolute error, so that the forecast is a median) learn from half of the cards each. The forecast is
the mean of all; the errors that calibrate the interval are those of the mean of the boosters that have not seen the card: nearly
as smooth as the forecast, where one unseen booster would be rougher and its interval too wide (after Kim, Xu and Barber,
"Predictive inference is free with the jackknife+-after-bootstrap", NeurIPS 2020). Trees are kept as text.

Where cards are many, residuals are divided by the square root of how much a card moves, and weighted by it: cards then teach
each other the shape of a move whatever its size, and the sum that is minimised stays the absolute error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.cpu_count import usable_processors
from pokewatch.valuation.features import COLUMN, LEVELS
from pokewatch.valuation.intervals import LIQUIDITIES, liquidity_of
from pokewatch.valuation.models.local_level import LocalLevel
from pokewatch.valuation.models.model import Model
from pokewatch.valuation.panel import Floats
from pokewatch.valuation.training_set import TrainingSet

if TYPE_CHECKING:
    import lightgbm  # takes seconds to import, and the other models do without

FEATURES = (
    "log_price",
    "fresh_share",
    "volatility",
    "age",
    "last_move",
    "low_spread",
    "mid_spread",
    "low_move_7",
    "mid_move_7",
    "momentum_3",
    "momentum_7",
    "momentum_14",
    "momentum_28",
    LEVELS[0],
    LEVELS[2],
    "since_release",
)
GROUP_FEATURES = (
    "group_since_fresh",
    "group_move_7",
    "set_move_7",
    "rarity_move_7",
    "market_move_7",
)
_GROUP_HORIZONS = 8  # a group's move is one observation a horizon, however many cards are in it
_LEAST_ROWS = 1_000
_LEAST_DAYS = 5
_ROWS_WORTH_THREADS = 50_000
_LEAST_MOVE = 0.002  # a day, log
_STRETCHES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
_LARGEST_RESIDUAL = 1.0  # log: a single card teaches no more than that

_COMMON: Mapping[str, Any] = {
    "objective": "regression_l1",
    "min_data_in_leaf": 100,
    "bagging_freq": 1,
    "seed": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True, slots=True)
class _Size:
    """How much to learn, by an even number of boosters. `power` of a card's mean move divides its residuals; the first
    `untaught` days of a panel, when features know little of the past, are left out where half of the days remain."""

    trees: Mapping[str, Any]
    boosters: int
    power: float
    untaught: int
    penny_weight: float


_SMALL = _Size(
    {
        "num_leaves": 7,
        "num_iterations": 60,
        "learning_rate": 0.05,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.5,
        "lambda_l2": 10.0,
    },
    boosters=20,
    power=0.0,
    untaught=0,
    penny_weight=1.0,
)
_LARGE = _Size(
    {
        "num_leaves": 31,
        "num_iterations": 120,
        "learning_rate": 0.08,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "lambda_l2": 1.0,
    },
    boosters=2,
    power=0.5,
    untaught=7,
    penny_weight=0.05,
)
_LARGE_FROM = 5_000  # cards times horizons, which overlapping outcomes do not multiply


class Boosted(Model):
    name = "boosted"

    def move(self, values: NDArray[np.float32]) -> Floats:
        moves = self._base.move(values)
        for booster in self._boosters:
            moves = moves + self._residual(booster, values) / len(self._boosters)
        return moves

    def _learn(self, pairs: TrainingSet) -> dict[str, Any]:
        base = LocalLevel(self.horizon)
        base.fit_forecast(pairs)
        learnt: dict[str, Any] = {"base": base.learnt, "features": [], "trees": []}
        size = _LARGE if _worth(pairs, self.horizon) >= _LARGE_FROM else _SMALL
        pairs = _teaching(pairs, size.untaught)
        if len(pairs) < _LEAST_ROWS or len(np.unique(pairs.day)) < _LEAST_DAYS:
            return learnt
        features = self._features(pairs)
        scale = _scale(pairs.values, size.power)
        price_weight = np.clip(np.exp(pairs.last), size.penny_weight, 1.0)
        residual = (
            np.clip(pairs.target - base.move(pairs.values), -_LARGEST_RESIDUAL, _LARGEST_RESIDUAL)
            / scale
        )
        trees = []
        for number in range(size.boosters):
            seen = ~_unseen(pairs, number, size.boosters)
            trees.append(
                _grow(
                    pairs.values[seen][:, features],
                    residual[seen],
                    (scale * price_weight)[seen],
                    size.trees,
                )
            )
        learnt |= {"features": features, "power": size.power, "trees": trees}
        return learnt | {"stretch": self._best_stretch(learnt, pairs, price_weight)}

    def _best_stretch(
        self, learnt: dict[str, Any], pairs: TrainingSet, weight: Floats
    ) -> list[float]:
        """How far to follow the trees, per liquidity, judged on cards they have not seen: not at all where they know nothing."""
        self._restore(learnt)
        base = self._base.move(pairs.values)
        residual, found = pairs.target - base, self._held_out(pairs) - base
        losses = np.stack([weight * np.abs(residual - stretch * found) for stretch in _STRETCHES])
        liquidity = liquidity_of(pairs.values)
        summed = [losses[:, liquidity == number].sum(axis=1) for number in range(len(LIQUIDITIES))]
        return [_STRETCHES[int(np.argmin(each))] for each in summed]

    def _restore(self, learnt: Mapping[str, Any]) -> None:
        super()._restore(learnt)
        self._base = LocalLevel(self.horizon, {"learnt": learnt.get("base", {})})
        self._columns = np.asarray(learnt.get("features", []), dtype=np.int64)
        self._power = float(learnt.get("power", 0.0))
        self._stretch = np.asarray(learnt.get("stretch", [1.0] * len(LIQUIDITIES)))
        import lightgbm

        self._boosters = [lightgbm.Booster(model_str=trees) for trees in learnt.get("trees", [])]

    def _held_out(self, pairs: TrainingSet) -> Floats:
        moves = self._base.move(pairs.values)
        count = len(self._boosters)
        for number, booster in enumerate(self._boosters):
            unseen = _unseen(pairs, number, count)
            if unseen.any():
                moves[unseen] += self._residual(booster, pairs.values[unseen]) / (count // 2)
        return moves

    def _residual(self, booster: "lightgbm.Booster", values: NDArray[np.float32]) -> Floats:
        threads = usable_processors() if len(values) >= _ROWS_WORTH_THREADS else 1
        found = booster.predict(values[:, self._columns], num_threads=threads)
        residual: Floats = (
            np.asarray(found, dtype=np.float64)
            * _scale(values, self._power)
            * self._stretch[liquidity_of(values)]
        )
        return residual

    def _features(self, pairs: TrainingSet) -> list[int]:
        span = int(pairs.day.max()) - int(pairs.day.min())
        names = FEATURES + (GROUP_FEATURES if span >= _GROUP_HORIZONS * self.horizon else ())
        return [COLUMN[name] for name in names]


def _unseen(pairs: TrainingSet, number: int, count: int) -> NDArray[np.bool_]:
    """Which pairs [m] are of cards that booster `number` of `count` does not learn from: half of all."""
    return (pairs.key + np.uint32(number)) % np.uint32(count) < count // 2


def _worth(pairs: TrainingSet, horizon: int) -> float:
    """Independent observations, as far as they go: overlapping outcomes of one card are one."""
    if len(pairs) == 0:
        return 0.0
    return len(np.unique(pairs.card)) * max(
        1.0, (int(pairs.day.max()) - int(pairs.day.min())) / horizon
    )


def _grow(
    values: NDArray[np.float32], residual: Floats, weight: Floats, size: Mapping[str, Any]
) -> str:
    threads = usable_processors() if len(residual) >= _ROWS_WORTH_THREADS else 1
    given = {**_COMMON, **size, "num_threads": threads}
    import lightgbm

    booster = lightgbm.train(
        given, lightgbm.Dataset(values, label=residual, weight=weight, params=given)
    )
    # What follows the trees names the number of threads, which must not make two models differ.
    text: str = booster.model_to_string()
    return text[: text.index("end of trees") + len("end of trees")] + "\n"


def _scale(values: NDArray[np.float32], power: float) -> Floats:
    """The card's mean daily move [m] to a power."""
    moved = np.nan_to_num(values[:, COLUMN["volatility"]].astype(np.float64))
    return np.asarray(np.power(np.maximum(moved, _LEAST_MOVE), power))


def _teaching(pairs: TrainingSet, untaught: int) -> TrainingSet:
    days = np.unique(pairs.day)
    return (
        pairs.select(pairs.day >= untaught) if 2 * (days >= untaught).sum() >= len(days) else pairs
    )
