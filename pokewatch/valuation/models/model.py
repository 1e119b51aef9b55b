"""The interface of all models: a median forecast of the quote at the horizon, and its interval."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from pokewatch.decision import Distribution
from pokewatch.valuation.common_errors import CardOutcomes
from pokewatch.valuation.features import DayFeatures, stream_features
from pokewatch.valuation.intervals import (
    THIN_HISTORY,
    UNCHANGED,
    Intervals,
    StatusRules,
    statuses,
)
from pokewatch.valuation.panel import Bools, Floats, Panel
from pokewatch.valuation.short_history import judged_days
from pokewatch.valuation.spread import Spread
from pokewatch.valuation.training_set import (
    MIN_TRAINING_DAYS,
    TrainingSet,
    sample,
    training_set_of,
)
from pokewatch.valuation.unconfirmed import over_both_readings

_MIN_CALIBRATION_ROWS = 1_000
MAX_MOVE = 3.0  # log: no forecast is further than this from the last quote


@dataclass(frozen=True, slots=True)
class Values:
    """The values of one day, [n]: the median forecast and its 90% interval in the card's currency.

    All three are NaN for a card that was never quoted, and the interval where nothing is known of
    moves yet. `status` is an index into STATUSES; `spread` and `distribution` describe the
    predictive distribution that the interval is part of.
    """

    fair: Floats
    lower: Floats
    upper: Floats
    status: NDArray[np.int8]
    spread: Spread
    distribution: Distribution


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
        return self.fit_training_set(*training_set_of(panel, self.horizon, until))

    def fit_training_set(self, training_set: TrainingSet, until: date) -> Self:
        """Train on `training_set`, all of which was known on the day `until`."""
        training_set = sample(training_set)
        self.fit_forecast(training_set)
        recent = _calibration_rows(training_set.select(~training_set.new))
        moves = np.clip(self._held_out_by_date(training_set, recent), -MAX_MOVE, MAX_MOVE)
        self._intervals.fit(
            recent.values,
            moves,
            recent.target - moves,
            np.abs(recent.target) < UNCHANGED,
            CardOutcomes(recent.card.astype(np.int64), recent.day.astype(np.int64), self.horizon),
        )
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
        new = features.new_cards(self.horizon, self._rules.thin_days)
        spread = self._spread(features, move, new)
        centre = features.last + move
        fair = np.exp(centre)
        lower, upper = np.exp(centre + spread.below), np.exp(centre + spread.above)
        unconfirmed = np.isfinite(features.before)
        if unconfirmed.any():
            edges = np.stack((np.zeros(len(centre)), spread.below, spread.above))[:, unconfirmed]
            # An average may be far from the new quote, which is a reading all the same.
            last = features.last
            readings = np.stack((centre, np.minimum(centre, last), np.maximum(centre, last)))
            fair[unconfirmed], lower[unconfirmed], upper[unconfirmed] = over_both_readings(
                np.exp(readings[:, unconfirmed] + edges),
                np.exp(features.before[unconfirmed] + edges),
                features.shares[unconfirmed],
            )
            # A quote that was repeated is seldom an error: its price is as certain as any other.
            spread = spread.without(unconfirmed & np.isfinite(features.shares))
        status = statuses(
            fair,
            lower,
            upper,
            new,
            features.since_quote,
            features.column("age"),
            unconfirmed,
            self._rules,
        )
        if not len(judged_days(features.market_days, self.horizon)):
            status[:] = THIN_HISTORY
        return Values(
            fair, lower, upper, status, spread, spread.distribution(features.last, centre)
        )

    def _spread(self, features: DayFeatures, moves: Floats, new: Bools) -> Spread:
        """Return the spread of the cards: of the moves of similar cards before a calibration.

        Cards that are `new` to the market [n] have none then: prices fall for weeks after a
        release, and the errors of older cards, which it is calibrated on, do not show how far.
        """
        if self._intervals.calibrated:
            return self._intervals.spread(features.values, moves).unknown(new)
        return Spread.of_interval(features.pooled.distance(self.horizon))

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

    def _held_out_by_date(self, training_set: TrainingSet, recent: TrainingSet) -> Floats:
        """Return forecasts [m] of the rows `recent` by a model trained on neither them nor later.

        It is trained on the rows whose outcome was known by the first day of `recent`, and cards
        are held out of it as well. Where those rows are too few, also for each part of this model,
        only cards are held out.
        """
        if len(recent) == 0:
            return np.empty(0)
        known = training_set.day + self.horizon <= recent.day.min()
        if (
            not self.fitted
            or known.sum() < _MIN_CALIBRATION_ROWS
            or len(np.unique(training_set.day[known])) < 5
        ):
            return self._held_out(recent)
        earlier = type(self)(self.horizon)
        earlier.fit_forecast(training_set.select(known))
        comparable = earlier.fitted.keys() == self.fitted.keys()
        return (earlier if comparable else self)._held_out(recent)

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
