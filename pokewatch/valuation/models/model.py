"""The interface of all models: a median forecast of the quote at the horizon, and its interval."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.features import DayFeatures, stream_features
from pokewatch.valuation.intervals import THIN_HISTORY, Intervals, StatusRules, statuses
from pokewatch.valuation.panel import Floats, Panel
from pokewatch.valuation.short_history import days_needed
from pokewatch.valuation.training_set import (
    MIN_TRAINING_DAYS,
    TrainingSet,
    build_training_set,
    sample,
    training_date_of,
    training_days_of,
)

_MIN_CALIBRATION_ROWS = 1_000
MAX_MOVE = 3.0  # log: no forecast is further than this from the last quote


@dataclass(frozen=True, slots=True)
class Values:
    """The values of one day, [n]: the median forecast and its 90% interval in the card's currency.

    All three are NaN for a card that was never quoted, and the interval where nothing is known of
    moves yet. `status` is an index into STATUSES.
    """

    fair: Floats
    lower: Floats
    upper: Floats
    status: NDArray[np.int8]


class Model(ABC):
    """A model of one horizon, in days. Raise ValueError for a horizon below 1.

    `fit` trains it on a panel; `value` uses only what was known on one day. The fitted state is
    `parameters()`, plain JSON, and a model made from it gives the same numbers.
    """

    name: ClassVar[str]

    def __init__(self, horizon: int, parameters: Mapping[str, Any] | None = None) -> None:
        if horizon < 1:
            raise ValueError(f"horizon must be at least 1 day, got {horizon}")
        self.horizon = horizon
        given = parameters or {}
        self.trained_until: date | None = (
            date.fromisoformat(given["learnt_until"]) if given.get("learnt_until") else None
        )
        self._intervals = Intervals(given.get("intervals"))
        self._rules = StatusRules(**given.get("rules", {}))
        self._restore(given.get("learnt", {}))

    def fit(self, panel: Panel, until: int | None = None) -> Self:
        """Train on what was known on day index `until`; by default the panel's `training_date`."""
        on = training_date_of(panel, panel.days - 1, self.horizon) if until is None else until
        return self.fit_training_set(
            build_training_set(panel, self.horizon, training_days_of(panel, on, self.horizon)),
            panel.dates[on].item(),
        )

    def fit_training_set(self, training_set: TrainingSet, until: date) -> Self:
        """Train on `training_set`, all of which was known on the day `until`."""
        training_set = sample(training_set)
        self.fit_forecast(training_set)
        recent = _calibration_rows(training_set)
        self._intervals.fit(recent.values, recent.target - self._held_out(recent))
        self.trained_until = until
        return self

    def fit_forecast(self, training_set: TrainingSet) -> None:
        """Train the forecast alone, without its interval."""
        self._restore(self._fit_forecast(training_set))

    def value(self, panel: Panel, day: int) -> Values:
        """Return the value of each card on day index `day`, from that day and those before it."""
        return self.value_features(next(stream_features(panel, [day])))

    def value_features(self, features: DayFeatures) -> Values:
        move = np.clip(self.move(features.values), -MAX_MOVE, MAX_MOVE)
        below, above = self._distances(features)
        centre = features.last + move
        fair, lower, upper = np.exp(centre), np.exp(centre + below), np.exp(centre + above)
        status = statuses(
            fair,
            lower,
            upper,
            features.quoted_days,
            features.since_quote,
            features.column("age"),
            self._rules,
        )
        if features.day + 1 < days_needed(self.horizon):
            status[:] = THIN_HISTORY
        return Values(fair, lower, upper, status)

    def _distances(self, features: DayFeatures) -> tuple[Floats, Floats]:
        """Return the log distances [n] of the interval's edges; NaN while nothing is known."""
        if self._intervals.calibrated:
            return self._intervals.distances(features.values)
        distance = features.pooled.distance(self.horizon)
        return -distance, distance

    def parameters(self) -> dict[str, Any]:
        """Return the fitted state as plain JSON; `restore` takes it back."""
        return {
            "model": self.name,
            "horizon": self.horizon,
            "learnt_until": self.trained_until.isoformat() if self.trained_until else None,
            "rules": asdict(self._rules),
            "intervals": self._intervals.parameters(),
            "learnt": self.fitted,
        }

    @abstractmethod
    def move(self, values: NDArray[np.float32]) -> Floats:
        """Return the median log move [m] from the last quote to the one at the horizon.

        `values` [m, F] are the features.
        """

    def _fit_forecast(self, training_set: TrainingSet) -> dict[str, Any]:
        """Return the state that `_restore` takes, as plain JSON; empty for the simplest models."""
        return {}

    def _restore(self, fitted: Mapping[str, Any]) -> None:
        """Take the state of `_fit_forecast`, or {} for an untrained model.

        An untrained model forecasts the last quote or a value near it.
        """
        self.fitted = dict(fitted)

    def _held_out(self, training_set: TrainingSet) -> Floats:
        """Return forecasts [m] by a model not trained on these rows.

        Models with few or no fitted parameters return `move` itself.
        """
        return self.move(training_set.values)


def _calibration_rows(training_set: TrainingSet) -> TrainingSet:
    """Return the later half of the days if it has enough rows: old errors count for less today.

    None of the rows while they are of fewer than MIN_TRAINING_DAYS days: the outcomes of so few
    days are those of one period.
    """
    days = np.unique(training_set.day)
    if len(days) < MIN_TRAINING_DAYS:
        return training_set.select(np.zeros(len(training_set), dtype=np.bool_))
    later = training_set.day >= np.median(days)
    return training_set.select(later) if later.sum() >= _MIN_CALIBRATION_ROWS else training_set
