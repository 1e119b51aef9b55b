"""The trading rule: BUY, SELL or HOLD from a price, a fair price and its 90% interval.

Pure functions over NumPy arrays. The deviation `(market_price - fair_price) / fair_price` is a
fraction: 90 against 100 is -0.1. BUY is at or below the buying threshold, SELL at or above the
selling threshold, HOLD between them. A status other than `ok` is HOLD, with the status as the
reason. NaN means that a price is not given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pokewatch.decision.distribution import Distribution, predictive_mass, with_intervals
from pokewatch.decision.fees import FEES, FeeSchedule
from pokewatch.decision.rows import (
    DECIMALS,
    Rows,
    Thresholds,
    broadcast,
    find_faults,
    raise_any,
    raising,
)

BUY, SELL, HOLD = SIGNALS = ("BUY", "SELL", "HOLD")
_BUY, _SELL, _HOLD = range(len(SIGNALS))
_SIGNAL_TEXTS = np.array(SIGNALS)
_REASON_TEXTS = np.array(["below_threshold", "above_threshold", "within_thresholds"])

Policy = Literal["threshold", "net_of_fees"]
_DEFAULT_THRESHOLDS = Thresholds()
POLICIES: tuple[Policy, ...] = ("threshold", "net_of_fees")

_CLOSE = 1e-8  # relative: a price this much below the last quote is not that quote

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Strings = NDArray[np.str_]
Codes = NDArray[np.int64]  # of signals: indices into SIGNALS


@dataclass(frozen=True, slots=True)
class Decisions:
    """One decision per row.

    `deviation_pct` is a fraction. `confidence` is a probability, NaN without an interval. `valid`
    is False where a decision was not possible. `distribution` is that of the price at the horizon,
    or None where neither distributions nor intervals were given.
    """

    signal: Strings
    deviation_pct: Floats
    confidence: Floats
    reason: Strings
    valid: Bools
    distribution: Distribution | None


def decide(
    market_price: ArrayLike,
    fair_price: ArrayLike,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
    status: ArrayLike | Sequence[str] | None = None,
    *,
    distribution: Distribution | None = None,
    thresholds: Thresholds = _DEFAULT_THRESHOLDS,
    policy: Policy = "threshold",
    fees: FeeSchedule | None = None,
    on_fault: Literal["raise", "hold"] = "raise",
) -> Decisions:
    """Return the decision on each price. Arguments broadcast; results have at least one dimension.

    `fair_price` is the median of the price at the horizon, `lower` and `upper` are its 5% and 95%
    quantiles; NaN in either of these means no interval. The policy `net_of_fees` allows a trade
    only where the near edge of the interval covers the fees both ways: BUY where selling at `lower`
    yields more than buying costs, SELL where selling now yields more than buying back at `upper`.

    `confidence` is taken from `distribution`, whose rows have the shape of the result; where a row
    has none, from the interval alone (see `interval_distribution`).

    Raise ValueError with the argument, row and value for prices that are not positive and finite,
    an interval that does not contain its fair price, or thresholds not within
    -1 < buy <= 0 <= sell. With `on_fault="hold"`, an invalid row does not affect the others: it is
    HOLD, `valid` is False, and it has no deviation or confidence. Its reason is its status unless
    that is `ok`, else `no_<price>` or `invalid_<argument>`. An invalid threshold for all rows
    raises in any case.
    """
    rows = broadcast(market_price, fair_price, lower, upper, thresholds)
    _check_policy(policy, fees)
    faults = find_faults(rows, distribution)
    invalid = reduce(np.logical_or, faults.values())
    all_valid = not np.count_nonzero(invalid)
    if not all_valid:
        raise_any(faults, raising(thresholds, faults if on_fault == "raise" else ()), rows)
    usable = rows.ordered() if all_valid else rows.masked(~invalid).ordered()
    deviation = (usable.ratio - 1.0).round(DECIMALS)
    signal, reason = _by_threshold(deviation, usable)
    if policy == "net_of_fees" and fees is not None:
        signal, reason = _net_of_fees(signal, reason, usable, fees)
    if not all_valid:
        signal, reason, deviation = _by_fault(signal, reason, deviation, faults, rows)
    if status is not None:
        signal, reason = _by_status(signal, reason, np.asarray(status, dtype=np.str_))
    known, confidence = _predicted(signal, usable, distribution)
    if not all_valid:
        confidence[invalid] = np.nan
    return Decisions(_SIGNAL_TEXTS.take(signal), deviation, confidence, reason, ~invalid, known)


def _check_policy(policy: str, fees: FeeSchedule | None) -> None:
    if policy not in POLICIES:
        raise ValueError(f"policy must be one of {', '.join(POLICIES)}, got {policy!r}")
    if policy == "net_of_fees" and fees is None:
        raise ValueError(
            f"policy net_of_fees needs a fee schedule: one of {', '.join(FEES)}, or a custom one"
        )


def _by_threshold(deviation: Floats, rows: Rows) -> tuple[Codes, Strings]:
    buy, sell = deviation <= _rounded(rows.buy), deviation >= _rounded(rows.sell)
    signal = np.where(buy, _BUY, np.where(sell, _SELL, _HOLD))
    return signal, _REASON_TEXTS.take(signal)


def _rounded(threshold: Floats) -> Floats:
    return threshold.round(DECIMALS) if threshold.ndim else _rounded_limit(threshold.item())


@lru_cache
def _rounded_limit(threshold: float) -> Floats:
    return np.asarray(threshold).round(DECIMALS)


def _by_fault(
    signal: Codes, reason: Strings, deviation: Floats, faults: dict[str, Bools], rows: Rows
) -> tuple[Codes, Strings, Floats]:
    """Return HOLD with a reason for invalid rows: that of the first fault in `faults`."""
    missing = {"fair_price": np.isnan(rows.fair), "market_price": np.isnan(rows.market)}
    for name, fault in reversed(faults.items()):
        signal, deviation = np.where(fault, _HOLD, signal), np.where(fault, np.nan, deviation)
        reason = np.where(fault, f"invalid_{name}", reason)
        if name in missing:
            reason = np.where(missing[name], f"no_{name}", reason)
    return signal, reason, deviation


def _net_of_fees(
    signal: Codes, reason: Strings, rows: Rows, fees: FeeSchedule
) -> tuple[Codes, Strings]:
    buying, selling = signal == _BUY, signal == _SELL
    known = ~np.isnan(rows.lower + rows.upper)
    clears = (buying & (fees.proceeds(rows.lower) > fees.cost(rows.market))) | (
        selling & (fees.proceeds(rows.market) > fees.cost(rows.upper))
    )
    stopped = (buying | selling) & ~clears
    reason = np.where(clears, "clears_fees", reason)
    return np.where(stopped, _HOLD, signal), np.where(
        stopped, np.where(known, "inside_fees", "no_interval"), reason
    )


def _by_status(signal: Codes, reason: Strings, status: Strings) -> tuple[Codes, Strings]:
    stopped = (status != "ok") & (status != "")
    if not np.count_nonzero(stopped):
        return signal, reason
    return np.where(stopped, _HOLD, signal), np.where(stopped, status, reason)


def _predicted(
    signal: Codes, rows: Rows, distribution: Distribution | None
) -> tuple[Distribution | None, Floats]:
    """Return the distributions at the horizon, and the confidence in each signal by them."""
    if distribution is None and not rows.has_intervals():
        return None, np.full(signal.shape, np.nan)
    known = with_intervals(distribution, rows.fair, rows.lower, rows.upper)
    return known, _confidence(signal, rows, known)


def _confidence(signal: Codes, rows: Rows, distribution: Distribution) -> Floats:
    """Return the probability that each signal comes true at the horizon.

    BUY does if the price then is above the one the signal is for, SELL if it is below, and HOLD if
    it is within the two thresholds of it.
    """
    if np.isnan(distribution.floor).all():
        return np.full(signal.shape, np.nan)
    buying, selling = signal == _BUY, signal == _SELL
    with np.errstate(over="ignore"):
        below = np.where(buying, rows.market, rows.market * (1 + rows.buy))
        until = np.where(selling, rows.market * (1 - _CLOSE), rows.market * (1 + rows.sell))
    return predictive_mass(
        distribution, np.where(selling, 0.0, below), np.where(buying, np.inf, until)
    )
