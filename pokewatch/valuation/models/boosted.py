"""Boosted trees on the residuals of the local level.

Each of several boosters (LightGBM, absolute error, so that the forecast is a median) is trained on
half of the cards, and the forecast is their mean. The interval is calibrated on the errors of the
mean of the boosters not trained on the card. That mean is nearly as smooth as the forecast; a
single held-out booster would be rougher, and its interval too wide (after Kim, Xu and Barber,
"Predictive inference is free with the jackknife+-after-bootstrap", NeurIPS 2020). Trees are stored
as text.

Every second booster does without the averages of sales: its errors differ from the others', and
the mean of both errs less (Bates and Granger, "The combination of forecasts", 1969). At long
horizons, a linear forecast from the averages (`linear`) has half of the weight. The quote of a
dormant card is forecast to stay: it was not renewed in the last three days, or only once in four
weeks. The trees learn how cards differ, not what the market did: the move that all cards of a day
share is subtracted first (`common_move`). In large training sets, residuals are divided by the
square root of the card's mean daily move and weighted by it: cards then share the shape of a move
whatever its size, and the minimised sum is still the absolute error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.cpu_count import cpu_count
from pokewatch.valuation.features import COLUMN, LEVELS
from pokewatch.valuation.intervals import LIQUIDITIES, liquidity_of
from pokewatch.valuation.models import linear
from pokewatch.valuation.models.boosters import TrainingRows, held_out_rows, train_boosters
from pokewatch.valuation.models.common_move import without_common_move
from pokewatch.valuation.models.local_level import LocalLevel
from pokewatch.valuation.models.model import Model
from pokewatch.valuation.panel import Floats
from pokewatch.valuation.training_set import TrainingSet, sample

if TYPE_CHECKING:
    import lightgbm  # takes seconds to import, and the other models do not need it

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
    "low_since_fresh",
    "mid_since_fresh",
    "low_gap",
    "mid_gap",
    "momentum_3",
    "momentum_7",
    "momentum_14",
    "momentum_28",
    LEVELS[0],
    LEVELS[2],
    "since_release",
    "release_drift",
)
GROUP_FEATURES = (
    "group_since_fresh",
    "group_move_7",
    "set_move_7",
    "rarity_move_7",
    "market_move_7",
)
AVERAGE_FEATURES = ("avg7", "avg30", "avg7_move_7", "avg30_move_7")
_AVERAGE_COLUMNS = [COLUMN[name] for name in AVERAGE_FEATURES]
_LINEAR_WEIGHT = 0.5
_MIN_LINEAR_HORIZON = 15  # days: nearer, a linear forecast errs more than the last price
_GROUP_HORIZONS = 8  # a group's move is one observation per horizon, however many cards it has
_MIN_ROWS = 1_000
_MIN_DAYS = 5
_MIN_ROWS_FOR_THREADS = 5_000
_MIN_MOVE = 0.002  # a day, log
_SHRINKAGES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
_SHRINKAGE_ROWS = 60_000  # enough to choose one of a few factors by
_MAX_RESIDUAL = 1.0  # log: limits the weight of a single card


@dataclass(frozen=True, slots=True)
class _Size:
    """The size of a boosted model, with an even number of boosters.

    Residuals are divided by the card's mean move to the `power`. The first `warm_up_days` of a
    panel, whose features have little history, are left out, but no more than half of the days.
    """

    trees: Mapping[str, Any]
    boosters: int
    power: float
    warm_up_days: int
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
    warm_up_days=0,
    penny_weight=1.0,
)
_MEDIUM = replace(_SMALL, trees={**_SMALL.trees, "num_leaves": 15})
_LARGE = _Size(
    {
        "max_bin": 63,
        "num_leaves": 63,
        "num_iterations": 60,
        "learning_rate": 0.12,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.5,
        "lambda_l2": 1.0,
    },
    boosters=4,
    power=0.5,
    warm_up_days=10,
    penny_weight=0.05,
)
# By the number of cards times non-overlapping horizons from which each is used.
_SIZES = {0: _SMALL, 1_500: _MEDIUM, 5_000: _LARGE}


class Boosted(Model):
    name = "boosted"

    def move(self, values: NDArray[np.float32]) -> Floats:
        moves = self._base.move(values)
        moving = ~_is_dormant(values)
        if moving.any():
            rows = values[moving]
            for booster in self._boosters:
                moves[moving] += self._residual(booster, rows) / len(self._boosters)
        return self._combined(moves, values)

    def _fit_forecast(self, training_set: TrainingSet) -> dict[str, Any]:
        base = LocalLevel(self.horizon)
        base.fit_forecast(training_set)
        fitted: dict[str, Any] = {"base": base.fitted, "features": [], "trees": []}
        size = _size_for(training_set, self.horizon)
        training_set = _after_warm_up(training_set, size.warm_up_days)
        if len(training_set) < _MIN_ROWS or len(np.unique(training_set.day)) < _MIN_DAYS:
            return fitted
        features = self._features(training_set)
        scale = _scale(training_set.values, size.power)
        residual = training_set.target - base.move(training_set.values)
        residual = without_common_move(residual, training_set.day)
        residual = np.clip(residual, -_MAX_RESIDUAL, _MAX_RESIDUAL) / scale

        weight = scale * _price_weight(training_set, size.penny_weight)

        def rows_of(number: int) -> TrainingRows:
            rows = ~held_out_rows(training_set.key, number, size.boosters)
            values = training_set.values[rows]
            if number % 2:
                values[:, _AVERAGE_COLUMNS] = np.nan
            return values[:, features], residual[rows], weight[rows]

        trees = train_boosters(rows_of, size.boosters, size.trees)
        fitted |= {"features": features, "power": size.power, "trees": trees}
        moving = training_set.select(~_is_dormant(training_set.values))
        if self.horizon >= _MIN_LINEAR_HORIZON and _has_averages(moving):
            fitted["linear"] = linear.fit_coefficients(moving)
        rows = sample(training_set, _SHRINKAGE_ROWS)
        return fitted | {"stretch": self._best_shrinkage(fitted, rows, size.penny_weight)}

    def _best_shrinkage(
        self, fitted: dict[str, Any], training_set: TrainingSet, penny_weight: float
    ) -> list[float]:
        """Return factors on the trees' forecast with the least held-out error, per liquidity."""
        self._restore(fitted)
        weight = _price_weight(training_set, penny_weight)
        base = self._base.move(training_set.values)
        residual = without_common_move(training_set.target - base, training_set.day)
        forecast = self._held_out_trees(training_set) - base
        losses = np.stack([weight * np.abs(residual - factor * forecast) for factor in _SHRINKAGES])
        liquidity = liquidity_of(training_set.values)
        summed = [losses[:, liquidity == number].sum(axis=1) for number in range(len(LIQUIDITIES))]
        return [_SHRINKAGES[int(np.argmin(each))] for each in summed]

    def _restore(self, fitted: Mapping[str, Any]) -> None:
        super()._restore(fitted)
        self._base = LocalLevel(self.horizon, {"learnt": fitted.get("base", {})})
        self._columns = np.asarray(fitted.get("features", []), dtype=np.int64)
        self._power = float(fitted.get("power", 0.0))
        self._coefficients: list[float] = list(fitted.get("linear", []))
        self._shrinkage = np.asarray(fitted.get("stretch", [1.0] * len(LIQUIDITIES)))
        import lightgbm

        self._boosters = [lightgbm.Booster(model_str=trees) for trees in fitted.get("trees", [])]

    def _held_out(self, training_set: TrainingSet) -> Floats:
        # A handful of coefficients is too few to overfit cards by.
        return self._combined(self._held_out_trees(training_set), training_set.values)

    def _combined(self, moves: Floats, values: NDArray[np.float32]) -> Floats:
        """Return the forecast from that of the trees [m]: with the linear one, if there is any."""
        if self._coefficients:
            other = linear.linear_move(self._coefficients, values)
            moves = (1.0 - _LINEAR_WEIGHT) * moves + _LINEAR_WEIGHT * other
        return np.where(_is_dormant(values), 0.0, moves)

    def _held_out_trees(self, training_set: TrainingSet) -> Floats:
        moves = self._base.move(training_set.values)
        count, moving = len(self._boosters), ~_is_dormant(training_set.values)
        for number, booster in enumerate(self._boosters):
            held_out = held_out_rows(training_set.key, number, count) & moving
            if held_out.any():
                moves[held_out] += self._residual(booster, training_set.values[held_out]) / (
                    count // 2
                )
        return moves

    def _residual(self, booster: "lightgbm.Booster", values: NDArray[np.float32]) -> Floats:
        threads = cpu_count() if len(values) >= _MIN_ROWS_FOR_THREADS else 1
        predicted = booster.predict(values[:, self._columns], num_threads=threads)
        residual: Floats = (
            np.asarray(predicted, dtype=np.float64)
            * _scale(values, self._power)
            * self._shrinkage[liquidity_of(values)]
        )
        return residual

    def _features(self, training_set: TrainingSet) -> list[int]:
        span = int(training_set.day.max()) - int(training_set.day.min())
        names = FEATURES + (GROUP_FEATURES if span >= _GROUP_HORIZONS * self.horizon else ())
        if _has_averages(training_set):
            names += AVERAGE_FEATURES
        return [COLUMN[name] for name in names]


def _is_dormant(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(liquidity_of(values) == LIQUIDITIES.index("dormant"))


def _has_averages(training_set: TrainingSet) -> bool:
    return bool(np.isfinite(training_set.column("avg30")).any())


def _size_for(training_set: TrainingSet, horizon: int) -> _Size:
    """Return the size for the independent observations; overlapping outcomes of a card are one."""
    if len(training_set) == 0:
        return _SMALL
    horizons = max(1.0, (int(training_set.day.max()) - int(training_set.day.min())) / horizon)
    observations = len(np.unique(training_set.card)) * horizons
    return _SIZES[max(least for least in _SIZES if least <= observations)]


def _scale(values: NDArray[np.float32], power: float) -> Floats:
    """Return the card's mean daily move [m] to a power."""
    moved = np.nan_to_num(values[:, COLUMN["volatility"]].astype(np.float64))
    return np.asarray(np.power(np.maximum(moved, _MIN_MOVE), power))


def _price_weight(training_set: TrainingSet, penny_weight: float) -> Floats:
    """Return the weight [m] of each row: less for cards below 1, but at least `penny_weight`."""
    return np.clip(np.exp(training_set.last), penny_weight, 1.0)


def _after_warm_up(training_set: TrainingSet, warm_up_days: int) -> TrainingSet:
    days = np.unique(training_set.day)
    dropped = min(int((days < warm_up_days).sum()), len(days) // 2)
    return training_set.select(training_set.day >= days[dropped]) if dropped else training_set
