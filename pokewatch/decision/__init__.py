"""Decisions: the trading rule, its probability, and advice in money under a fee schedule.

It imports nothing else of PokeWatch.
"""

from pokewatch.decision.advice import (
    DEFAULT_PROBABILITY,
    Advice,
    advise,
    advise_each,
    break_even,
)
from pokewatch.decision.distribution import (
    LEVELS,
    Distribution,
    interval_distribution,
    predictive_cdf,
    predictive_quantile,
    with_intervals,
)
from pokewatch.decision.fees import FEES, FeeSchedule, fees_for
from pokewatch.decision.rows import Thresholds
from pokewatch.decision.rule import (
    BUY,
    HOLD,
    POLICIES,
    SELL,
    SIGNALS,
    Decisions,
    Policy,
    decide,
)

__all__ = [
    "BUY",
    "DEFAULT_PROBABILITY",
    "FEES",
    "HOLD",
    "LEVELS",
    "POLICIES",
    "SELL",
    "SIGNALS",
    "Advice",
    "Decisions",
    "Distribution",
    "FeeSchedule",
    "Policy",
    "Thresholds",
    "advise",
    "advise_each",
    "break_even",
    "decide",
    "fees_for",
    "interval_distribution",
    "predictive_cdf",
    "predictive_quantile",
    "with_intervals",
]
