"""What every model is: a median forecast of the quote `horizon` days ahead, learnt from pairs, with its interval and status."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.features import DayFeatures, stream
from pokewatch.valuation.intervals import Intervals, StatusRules, statuses
from pokewatch.valuation.panel import Floats, Panel
from pokewatch.valuation.training_set import (
    TrainingSet,
    collect,
    sampled,
    training_date_of,
    training_days_of,
)

_ENOUGH = 1_000  # pairs to calibrate an interval on
LARGEST_MOVE = 3.0  # log: no forecast is further than this from the last quote


@dataclass(frozen=True, slots=True)
class Values:
    """One day's values [n]: median forecast and 90% interval in the card's currency, NaN for a card never quoted; `status`
    indexes intervals.STATUSES."""

    fair: Floats
    lower: Floats
    upper: Floats
    status: NDArray[np.int8]


class Model(ABC):
    """`fit` learns from the pairs a panel holds; `value` uses what was known on one day. All that is learnt is in
    `parameters()`, plain JSON, and a model made from them gives the same numbers."""

    name: ClassVar[str]

    def __init__(self, horizon: int, parameters: Mapping[str, Any] | None = None) -> None:
        if horizon < 1:
            raise ValueError(f"horizon must be at least 1 day, got {horizon}")
        self.horizon = horizon
        given = parameters or {}
        self.learnt_until: date | None = (
            date.fromisoformat(given["learnt_until"]) if given.get("learnt_until") else None
        )
        self._intervals = Intervals(given.get("intervals"))
        self._rules = StatusRules(**given.get("rules", {}))
        self._restore(given.get("learnt", {}))

    def fit(self, panel: Panel, until: int | None = None) -> Self:
        """Learn from every pair known on day index `until`; by default the panel's last `learning_day`."""
        on = training_date_of(panel, panel.days - 1, self.horizon) if until is None else until
        return self.fit_pairs(
            collect(panel, self.horizon, training_days_of(panel, on, self.horizon)),
            panel.dates[on].item(),
        )

    def fit_pairs(self, pairs: TrainingSet, until: date) -> Self:
        """Learn from `pairs`, all of them known on the day `until`."""
        pairs = sampled(pairs)
        self.fit_forecast(pairs)
        recent = _recent(pairs)
        self._intervals.fit(recent.values, recent.target - self._held_out(recent))
        self.learnt_until = until
        return self

    def fit_forecast(self, pairs: TrainingSet) -> None:
        """Learn the forecast alone, without its interval."""
        self._restore(self._learn(pairs))

    def value(self, panel: Panel, day: int) -> Values:
        """What each card is worth on day index `day`, from days up to it."""
        return self.value_features(next(stream(panel, [day])))

    def value_features(self, features: DayFeatures) -> Values:
        move = np.clip(self.move(features.values), -LARGEST_MOVE, LARGEST_MOVE)
        below, above = self._intervals.distances(features.values)
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
        return Values(fair, lower, upper, status)

    def parameters(self) -> dict[str, Any]:
        return {
            "model": self.name,
            "horizon": self.horizon,
            "learnt_until": self.learnt_until.isoformat() if self.learnt_until else None,
            "rules": asdict(self._rules),
            "intervals": self._intervals.parameters(),
            "learnt": self.learnt,
        }

    @abstractmethod
    def move(self, values: NDArray[np.float32]) -> Floats:
        """The median log move [m] from the last quote to the quote at the horizon; features `values` [m, F]."""

    def _learn(self, pairs: TrainingSet) -> dict[str, Any]:
        """What `_restore` needs to forecast, plain JSON; nothing for the simplest models."""
        return {}

    def _restore(self, learnt: Mapping[str, Any]) -> None:
        """Take what `_learn` gave; {} before that, when the forecast is the last quote or near it."""
        self.learnt = dict(learnt)

    def _held_out(self, pairs: TrainingSet) -> Floats:
        """Forecasts [m] of the pairs by a model that did not see them; `move` itself where little or nothing is learnt."""
        return self.move(pairs.values)


def _recent(pairs: TrainingSet) -> TrainingSet:
    """The later half of the days, where it has pairs enough: how far off forecasts were long ago says less of today."""
    if len(pairs) == 0:
        return pairs
    later = pairs.day >= np.median(np.unique(pairs.day))
    return pairs.select(later) if later.sum() >= _ENOUGH else pairs
