"""Decisions: the trading rule, fee schedules and the probability that a signal comes true.

It imports nothing else of PokeWatch.
"""

from pokewatch.decision.distribution import (
    Distribution,
    interval_distribution,
    normal_cdf,
    predictive_cdf,
    predictive_quantile,
    with_intervals,
)
from pokewatch.decision.fees import FEES, FeeSchedule
from pokewatch.decision.rule import (
    BUY,
    HOLD,
    POLICIES,
    SELL,
    SIGNALS,
    Decisions,
    Policy,
    Thresholds,
    decide,
)

__all__ = [
    "BUY",
    "FEES",
    "HOLD",
    "POLICIES",
    "SELL",
    "SIGNALS",
    "Decisions",
    "Distribution",
    "FeeSchedule",
    "Policy",
    "Thresholds",
    "decide",
    "interval_distribution",
    "normal_cdf",
    "predictive_cdf",
    "predictive_quantile",
    "with_intervals",
]
