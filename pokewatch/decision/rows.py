"""The arguments of the trading rule as rows, and the rows that are invalid."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pokewatch.decision.distribution import Distribution, is_malformed

DECIMALS = 12  # of deviations: rounding makes the inclusive edges hold in floating point
_COMPARABLE = np.finfo(np.float64).max / 10**DECIMALS  # a larger ratio overflows as it is rounded
_UNKNOWN = np.asarray(np.nan)  # stands for a price that is given for no row

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The deviations, as fractions, at which to trade: a float, or an array with one per row."""

    buy: ArrayLike = -0.10
    sell: ArrayLike = 0.15


@dataclass(frozen=True, slots=True)
class Rows:
    """The arguments of `decide`, [n]; one threshold for all rows is [], as is the NaN of no edge.

    `ratio` is the market price divided by the fair price.
    """

    market: Floats
    fair: Floats
    ratio: Floats
    lower: Floats
    upper: Floats
    buy: Floats
    sell: Floats

    def masked(self, valid: Bools) -> "Rows":
        """Return the rows with the values of invalid ones replaced by harmless ones."""
        market, fair = np.where(valid, self.market, 1.0), np.where(valid, self.fair, 1.0)
        lower, upper = (
            edge if edge is _UNKNOWN else np.where(valid, edge, np.nan)
            for edge in (self.lower, self.upper)
        )
        return Rows(
            market,
            fair,
            market / fair,
            lower,
            upper,
            np.where(valid, self.buy, 0.0),
            np.where(valid, self.sell, 0.0),
        )

    def ordered(self) -> "Rows":
        """Return the rows with the fair price inside its interval, whatever the rounding."""
        if not self.has_intervals():
            return self
        return Rows(
            self.market,
            self.fair,
            self.ratio,
            np.minimum(self.lower, self.fair),
            np.maximum(self.upper, self.fair),
            self.buy,
            self.sell,
        )

    def has_intervals(self) -> bool:
        """Return whether a row may have an interval."""
        return self.lower is not _UNKNOWN or self.upper is not _UNKNOWN


def broadcast(
    market: ArrayLike,
    fair: ArrayLike,
    lower: ArrayLike | None,
    upper: ArrayLike | None,
    thresholds: Thresholds,
) -> Rows:
    """Return the arguments of `decide` as rows, with at least one dimension."""
    given = (market, fair, lower, upper, thresholds.buy, thresholds.sell)
    arrays = [_UNKNOWN if value is None else np.asarray(value, dtype=np.float64) for value in given]
    shapes = {array.shape for array in arrays} - {()}
    shape = shapes.pop() if len(shapes) == 1 else np.broadcast_shapes((1,), *shapes)
    prices = [
        array if array.shape == shape or array is _UNKNOWN else np.full(shape, array)
        for array in arrays[:4]
    ]
    limits = [
        array if array.shape in ((), shape) else np.full(shape, array) for array in arrays[4:]
    ]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        ratio = prices[0] / prices[1]
    return Rows(prices[0], prices[1], ratio, prices[2], prices[3], *limits)


def find_faults(rows: Rows, distribution: Distribution | None) -> dict[str, Bools]:
    """Return the invalid rows by argument. Comparisons with NaN are False: `~(0 < x)` is True.

    A market price is compared with its fair price, and may be a fault only because that one is.
    """
    faults = {
        "fair_price": ~((rows.fair > 0) & (rows.fair < np.inf)),
        "market_price": ~((rows.ratio > 0) & (rows.ratio <= _COMPARABLE)),
    }
    if rows.has_intervals():
        with np.errstate(over="ignore"):
            faults["lower"] = (rows.lower < 0) | (rows.lower > rows.fair * (1 + 1e-9))
            faults["upper"] = (rows.upper == np.inf) | (rows.upper < rows.fair * (1 - 1e-9))
    if rows.buy.ndim or not -1 < rows.buy.item() <= 0:
        faults["buy_threshold_pct"] = ~((rows.buy > -1) & (rows.buy <= 0))
    if rows.sell.ndim or not 0 <= rows.sell.item() < np.inf:
        faults["sell_threshold_pct"] = ~((rows.sell >= 0) & (rows.sell < np.inf))
    if distribution is not None:
        faults["distribution"] = is_malformed(distribution)
    return faults


def raising(thresholds: Thresholds, also: Iterable[str]) -> list[str]:
    """Return the arguments whose faults raise: thresholds for all rows, and those in `also`."""
    given = {"buy_threshold_pct": thresholds.buy, "sell_threshold_pct": thresholds.sell}
    return [*(name for name, value in given.items() if np.size(value) == 1), *also]


_REQUIREMENTS = {
    "fair_price": "positive and finite",
    "market_price": "positive, finite and comparable with fair_price",
    "lower": "between 0 and fair_price",
    "upper": "finite and no less than fair_price",
    "distribution": "ascending log quantiles after a price and two probabilities",
    "buy threshold": "a fraction with -1 < buy <= 0 <= sell",
    "sell threshold": "a fraction with -1 < buy <= 0 <= sell",
}


def raise_any(faults: dict[str, Bools], names: Iterable[str], rows: Rows) -> None:
    """Raise ValueError for the first fault among those in `names`."""
    values = {
        "fair_price": rows.fair,
        "market_price": rows.market,
        "lower": rows.lower,
        "upper": rows.upper,
        "buy_threshold_pct": rows.buy,
        "sell_threshold_pct": rows.sell,
        "distribution": np.broadcast_to("others", rows.market.shape),
    }
    for name in names:
        fault = faults.get(name)
        if fault is not None and fault.any():
            row, label = int(np.argmax(fault)), name.replace("_threshold_pct", " threshold")
            raise ValueError(
                f"{label} at row {row} must be {_REQUIREMENTS[label]}, got {values[name].flat[row]}"
            )
