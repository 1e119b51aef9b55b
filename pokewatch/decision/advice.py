"""Advice in money: the prices at which to buy and to sell, and the chance that a purchase earns.

Buying at a price earns if selling at the horizon, at the price of that day, leaves more after the
seller's fees than the buyer paid with fees and postage. Selling now beats keeping if it leaves
something after the seller's fees, and the price is above that at the horizon: the fees are due
either way. Both are probabilities under the predictive distribution of the price. Amounts are in
the currency of the prices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields

import numpy as np
from numpy.typing import NDArray

from pokewatch.decision.distribution import predictive_cdf, predictive_quantile
from pokewatch.decision.fees import FeeSchedule
from pokewatch.decision.rule import Decisions

DEFAULT_PROBABILITY = 0.8
ADVICE_GIVEN = "ok"
NO_INTERVAL = "no_interval"
NO_FEES = "no_fees"

Floats = NDArray[np.float64]
Strings = NDArray[np.str_]

_DECIMALS = 4  # of probabilities
# Rounding: prices this close to each other, relatively or in cents, are equal.
_CLOSE_RELATIVE, _CLOSE = 1e-12, 1e-9


@dataclass(frozen=True, slots=True)
class Advice:
    """Advice on each row, NaN with a `reason` where none can be given; else the reason is "ok".

    `buy_below` is the highest price, in cents, at which buying now earns with the probability
    asked for; 0 if there is no such price. `sell_above` is the lowest at which selling now beats
    keeping with that probability. `chance_to_earn` is the probability that buying at the price
    judged earns.
    """

    buy_below: Floats
    sell_above: Floats
    chance_to_earn: Floats
    reason: Strings


def check_probability(probability: float) -> None:
    """Raise ValueError for a probability not between 0 and 1."""
    if not 0 < probability < 1:
        raise ValueError(f"the probability must be between 0 and 1, got {probability}")


def advise(
    price: Floats, decisions: Decisions, fees: FeeSchedule, probability: float = DEFAULT_PROBABILITY
) -> Advice:
    """Return the advice on `price` [n], on which the decisions are, under a fee schedule.

    Rows without an interval, and those on which no decision was possible, have no advice: their
    reason is `no_interval` or that of the decision. Raise ValueError for a probability not between
    0 and 1.
    """
    check_probability(probability)
    distribution = decisions.distribution
    without = np.where(decisions.valid, NO_INTERVAL, decisions.reason)
    if distribution is None:
        return _no_advice(without)
    floor = distribution.floor  # NaN without a distribution: not known
    known = decisions.valid & (floor <= min(probability, 1.0 - probability) + _CLOSE)
    reason = np.where(known, ADVICE_GIVEN, without)
    if not known.any():
        return _no_advice(reason)
    with np.errstate(over="ignore", invalid="ignore"):
        levels = np.array([[1.0 - probability], [probability]])
        low, high = predictive_quantile(distribution, levels) * 100.0
        buy = fees.price_at_cost(fees.proceeds(low / 100.0)) * 100.0
        buy_below = np.maximum(np.floor(buy - _margin(buy)), 0.0) / 100.0
        worthless = fees.price_at_proceeds(0.0) * 100.0  # a seller is left with nothing
        sell = np.maximum(high, worthless)
        sell_above = (np.floor(sell + _margin(sell)) + 1.0) / 100.0
        chance = 1.0 - predictive_cdf(distribution, break_even(price, fees))
    return Advice(
        np.where(known, buy_below, np.nan),
        np.where(known, sell_above, np.nan),
        np.where(known, chance.round(_DECIMALS), np.nan),
        reason,
    )


def advise_each(
    price: Floats,
    decisions: Decisions,
    fees: Sequence[FeeSchedule | None],
    probability: float = DEFAULT_PROBABILITY,
) -> Advice:
    """Return the advice on `price` [n], each row under its own fee schedule.

    `fees` has one for each row, or one for all. A row of None has no advice, for want of a fee
    schedule: its reason is `no_fees` or that of the decision. Raise ValueError for a probability
    not between 0 and 1.
    """
    found = [
        (schedule, _advise(price, decisions, schedule, probability))
        for schedule in dict.fromkeys(fees) or (None,)
    ]
    columns = found[0][1]
    for schedule, advice in found[1:]:
        rows = np.array([each == schedule for each in fees])
        columns = Advice(
            *(
                np.where(rows, getattr(advice, field.name), getattr(columns, field.name))
                for field in dataclass_fields(Advice)
            )
        )
    return columns


def _advise(
    price: Floats, decisions: Decisions, fees: FeeSchedule | None, probability: float
) -> Advice:
    if fees is not None:
        return advise(price, decisions, fees, probability)
    return _no_advice(np.where(decisions.valid, NO_FEES, decisions.reason))


def _margin(cents: Floats) -> Floats:
    """Return within what rounding error of prices in cents others are the same price."""
    return _CLOSE + _CLOSE_RELATIVE * np.abs(cents)


def _no_advice(reason: Strings) -> Advice:
    nothing = np.full(reason.shape, np.nan)
    return Advice(nothing, nothing, nothing, reason)


def break_even(price: Floats, fees: FeeSchedule) -> Floats:
    """Return the price at which a copy bought at `price` must be sold to earn nothing."""
    return fees.price_at_proceeds(fees.cost(price))
