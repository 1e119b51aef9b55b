"""The standing of an experiment: what its results say so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pokewatch.experiments.records import Experiment
from pokewatch.experiments.results import DayResult, compared
from pokewatch.experiments.sequential import (
    Verdict,
    confidence_sequence,
    decide,
    log_e_values,
)
from pokewatch.valuation.panel import Floats

_MOST_LOG = 690.0  # a larger one is no finite float


@dataclass(frozen=True, slots=True)
class Standing:
    """The results of an experiment, and the test of them.

    `days` are those that can be compared. After each of them, `e_value` [n] is the evidence that
    the challenger is better, `e_opposite` [n] that it is worse, `low` and `high` [n] the ends of
    the confidence sequence of the mean difference, and `coverage` [n] the share of prices inside
    the challenger's intervals so far.
    """

    experiment: Experiment
    days: tuple[DayResult, ...]
    excluded: int
    e_value: Floats
    e_opposite: Floats
    mean: Floats
    low: Floats
    high: Floats
    coverage: Floats

    @classmethod
    def of(cls, experiment: Experiment, results: Sequence[DayResult]) -> "Standing":
        days, rule = compared(results), experiment.plan.rule
        z, ordinals = _arrays(days)
        better, worse = (
            np.exp(np.minimum(log_e_values(each, ordinals, rule.horizon, rule.sigma), _MOST_LOG))
            for each in (z, -z)
        )
        low, high = confidence_sequence(z, rule.horizon)
        return cls(
            experiment,
            tuple(days),
            sum(bool(each.excluded) for each in results),
            better,
            worse,
            mean=np.cumsum(z) / np.arange(1, len(days) + 1),
            low=low,
            high=high,
            coverage=_coverage(days),
        )

    def verdict(self) -> Verdict:
        """Return what the results lead to."""
        return decide(*_arrays(self.days), self.coverage, self.experiment.plan.rule)[0]

    def gain(self) -> float | None:
        """Return the share of the champion's error that the challenger does not have."""
        champion, challenger, _ = self._errors()
        return 1 - challenger / champion if champion else None

    def to_dict(self) -> dict[str, Any]:
        """Return the standing as plain JSON."""
        plan, (champion, challenger, last) = self.experiment.plan, self._errors()
        return {
            "number": self.experiment.number,
            "champion": plan.champion,
            "challenger": plan.challenger,
            "started_on": plan.started_at[:10],
            "state": self.experiment.state,
            "outcome": self.experiment.outcome,
            "traffic": self.experiment.traffic_facts(),
            "verdict": self.experiment.verdict,
            "horizon": plan.rule.horizon,
            "threshold": plan.rule.threshold,
            "shortest_days": plan.rule.shortest,
            "longest_days": plan.rule.longest,
            "days": len(self.days),
            "excluded": self.excluded,
            "forecasts": sum(day.judged for day in self.days),
            "gain": self.gain(),
            "champion_error": champion / last if last else None,
            "challenger_error": challenger / last if last else None,
            "series": [self._row(at) for at in range(len(self.days))],
        }

    def _row(self, at: int) -> Mapping[str, Any]:
        coverage = float(self.coverage[at])
        return {
            "day": self.days[at].issued_on.isoformat(),
            "e_value": float(self.e_value[at]),
            "e_opposite": float(self.e_opposite[at]),
            "mean": float(self.mean[at]),
            "low": float(self.low[at]),
            "high": float(self.high[at]),
            "coverage": coverage if np.isfinite(coverage) else None,
        }

    def _errors(self) -> tuple[float, float, float]:
        return (
            sum(day.champion_error for day in self.days),
            sum(day.challenger_error for day in self.days),
            sum(day.last_error for day in self.days),
        )


def _arrays(days: Sequence[DayResult]) -> tuple[Floats, np.ndarray]:
    """Return the differences [n] and the ordinals [n] of their days of forecast."""
    z = np.array([day.z for day in days], dtype=np.float64)
    return z, np.array([day.issued_on.toordinal() for day in days], dtype=np.int64)


def _coverage(days: Sequence[DayResult]) -> Floats:
    counts = np.array([(day.covered, day.intervals) for day in days], dtype=np.float64)
    covered, intervals = np.cumsum(counts.reshape(-1, 2), axis=0).T
    found: Floats = np.divide(
        covered, intervals, out=np.full(len(days), np.nan), where=intervals > 0
    )
    return found
