"""Calibrated 90% intervals: of the quotes at the horizon, 90% fall inside, in every group of cards.

Split conformal prediction (Lei et al., "Distribution-free predictive inference for regression",
JASA 2018) on errors scaled by the usual move of similar cards, calibrated by liquidity and
volatility on several past days (Mondrian: Vovk et al., "Algorithmic Learning in a Random World",
2005). Cells that are also split by price band are used where they have enough errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.book import STATUSES
from pokewatch.valuation.features import COLUMN
from pokewatch.valuation.panel import Floats

OK, STALE_PRICE, THIN_HISTORY, WIDE_INTERVAL, UNKNOWN_CARD = range(len(STATUSES))

LIQUIDITIES = ("dormant", "slow", "active")
_LIQUIDITY_EDGES = (0.04, 0.2)  # share of days with a fresh quote
_RENEWED_DAYS = 3
BANDS = ("<1", "1-5", "5-20", "20-100", ">100")
_BAND_EDGES = (1.0, 5.0, 20.0, 100.0)

TAIL = 0.05  # share of the quotes below the interval, and above it
_MIN_ERRORS = 200  # in a cell, for it to be used by itself
_MIN_SCALE = 0.01
_SCALE_FEATURES = ("volatility", "fresh_share", "age", "stale_days", "low_spread", "log_price")


@dataclass(frozen=True, slots=True)
class StatusRules:
    """The limits beyond which a value is given but its status is not `ok`."""

    thin_days: int = 3  # fewer quoted days are a thin history
    stale_days: int = 60  # days without a fresh quote that make the price stale
    missing_days: int = 3  # days without any quote that make the price stale
    wide_ratio: float = 3.0  # upper over lower beyond which the interval is wide


def liquidity_of(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return an index into LIQUIDITIES [m] for features `values` [m, F].

    A card whose quote has not been renewed for more than three days is dormant, whatever its past.
    """
    liquidity = np.searchsorted(_LIQUIDITY_EDGES, values[:, COLUMN["fresh_share"]], side="left")
    return np.where(values[:, COLUMN["stale_days"]] > _RENEWED_DAYS, 0, liquidity)


def band_of(price: NDArray[Any]) -> NDArray[np.int64]:
    """Return an index into BANDS; a price on an edge belongs to the higher band."""
    return np.searchsorted(_BAND_EDGES, price, side="right")


class Intervals:
    """The log distances of the interval's edges from the median forecast, by card and day."""

    def __init__(self, parameters: Mapping[str, Any] | None = None) -> None:
        given = parameters or {}
        self._scale = np.asarray(given.get("scale", ()), dtype=np.float64)
        self._cuts = np.asarray(given.get("cuts", ()), dtype=np.float64).reshape(-1, 2)
        self._cells: dict[str, tuple[float, float]] = {
            name: (low, high) for name, (low, high) in given.get("cells", {}).items()
        }

    def fit(self, values: NDArray[np.float32], errors: Floats) -> None:
        """Calibrate on the errors of held-out forecasts.

        `errors` [m] are the log quote at the horizon minus the log forecast; `values` [m, F] are
        the features. With fewer than 40 errors there is no calibration.
        """
        self._cells = {}
        if len(errors) < 2 / TAIL:
            return
        # A scale fitted to few errors overfits them: with less than a cell's worth, it is constant.
        self._scale = (
            _fit_scale(values, errors)
            if len(errors) >= _MIN_ERRORS
            else np.zeros(len(_scale_terms(values)))
        )
        scale = self._scales(values)
        liquidity = liquidity_of(values)
        self._cuts = np.stack(
            [_tercile_cuts(scale[liquidity == group], scale) for group in range(len(LIQUIDITIES))]
        )
        scores = errors / scale
        self._cells[""] = _edges(scores)
        for keys in self._keys(values, scale):
            names, code = np.unique(keys, return_inverse=True)
            for index, name in enumerate(names.tolist()):
                inside = scores[code == index]
                if len(inside) >= _MIN_ERRORS:
                    self._cells[name] = _edges(inside)

    def distances(self, values: NDArray[np.float32]) -> tuple[Floats, Floats]:
        """Return the log distances [m] of the lower edge (<= 0) and the upper edge (>= 0).

        NaN without a calibration.
        """
        if not self._cells:
            return np.full(len(values), np.nan), np.full(len(values), np.nan)
        scale = self._scales(values)
        edges = np.tile(np.asarray(self._cells[""]), (len(values), 1))
        for keys in self._keys(values, scale):
            names, code = np.unique(keys, return_inverse=True)
            known = np.array(
                [self._cells.get(name, (np.nan, np.nan)) for name in names.tolist()]
            ).reshape(-1, 2)[code]
            edges = np.where(np.isnan(known), edges, known).astype(np.float64, copy=False)
        return np.minimum(edges[:, 0] * scale, 0.0), np.maximum(edges[:, 1] * scale, 0.0)

    @property
    def calibrated(self) -> bool:
        return bool(self._cells)

    def parameters(self) -> dict[str, Any]:
        """Return the calibration as plain JSON."""
        return {
            "scale": self._scale.tolist(),
            "cuts": self._cuts.tolist(),
            "cells": {name: list(edges) for name, edges in self._cells.items()},
        }

    def _scales(self, values: NDArray[np.float32]) -> Floats:
        # Summed term by term: the rounding of a matrix product depends on the number of cards.
        logs = sum(
            (
                term * weight
                for term, weight in zip(_scale_terms(values), self._scale.tolist(), strict=True)
            ),
            np.zeros(len(values)),
        )
        scale: Floats = np.exp(np.clip(logs, np.log(_MIN_SCALE) - 3, 1.0))
        return scale

    def _keys(
        self, values: NDArray[np.float32], scale: Floats
    ) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
        """Return the cells of each card, from wide to narrow.

        The first is liquidity x volatility, the second is also split by price band.
        """
        liquidity = liquidity_of(values)
        volatility = (scale[:, None] > self._cuts[liquidity]).sum(axis=1)
        band = band_of(np.exp(values[:, COLUMN["log_price"]]))
        group = np.char.add(
            np.array(["d", "s", "a"])[liquidity], np.array(["0", "1", "2"])[volatility]
        )
        return group, np.char.add(group, np.array(["a", "b", "c", "d", "e"])[band])


def statuses(
    fair: Floats,
    lower: Floats,
    upper: Floats,
    quoted_days: NDArray[Any],
    since: NDArray[Any],
    age: NDArray[Any],
    rules: StatusRules,
) -> NDArray[np.int8]:
    """Return an index into STATUSES [n]; thin_history precedes stale_price, then wide_interval.

    `quoted_days` are the days with a quote, `since` the days since the last one, and `age` the days
    since the last fresh one, all [n].
    """
    status = np.full(len(fair), OK, dtype=np.int8)
    with np.errstate(invalid="ignore"):
        status[upper > rules.wide_ratio * lower] = WIDE_INTERVAL
        status[(age > rules.stale_days) | (since > rules.missing_days)] = STALE_PRICE
    status[(quoted_days < rules.thin_days) | ~np.isfinite(fair)] = THIN_HISTORY
    return status


def _scale_terms(values: NDArray[np.float32]) -> list[Floats]:
    columns = [values[:, COLUMN[name]].astype(np.float64) for name in _SCALE_FEATURES]
    volatility, fresh, age, stale, ask, price = (
        np.where(np.isfinite(column), column, 0.0) for column in columns
    )
    moved = np.log(volatility + 0.002)
    return [
        np.ones(len(values)),
        moved,
        np.square(moved),
        np.sqrt(fresh),
        np.log1p(age),
        np.log1p(np.maximum(stale, 0.0)),
        np.minimum(np.abs(ask), 2.0),
        price,
        np.square(price) / 10,
    ]


def _fit_scale(values: NDArray[np.float32], errors: Floats) -> Floats:
    """Fit the log of the absolute error by least squares, with a small ridge penalty."""
    terms, sizes = np.stack(_scale_terms(values)), np.log(np.abs(errors) + _MIN_SCALE)
    weight = np.full(len(terms), 1e-3 * len(errors))
    weight[0] = 1e-9 * len(errors)
    squares = np.einsum("im,jm->ij", terms, terms)
    return _solve(squares + np.diag(weight), np.einsum("im,m->i", terms, sizes))


def _solve(matrix: Floats, right: Floats) -> Floats:
    """Solve `matrix` x = `right` by Gauss-Jordan elimination; positive definite: no pivoting.

    The last digits of `np.linalg.solve` depend on the machine's BLAS kernel, and with them every
    interval would.
    """
    rows = np.column_stack((matrix, right))
    for number in range(len(rows)):
        rows[number] /= rows[number, number]
        others = np.arange(len(rows)) != number
        rows[others] -= rows[others, number, None] * rows[number]
    return rows[:, -1]


def _tercile_cuts(scale: Floats, overall: Floats) -> Floats:
    cuts: Floats = np.quantile(scale if len(scale) >= _MIN_ERRORS else overall, (1 / 3, 2 / 3))
    return cuts


def _edges(scores: Floats) -> tuple[float, float]:
    """Return the 5% and 95% quantiles with split conformal's finite-sample correction."""
    ordered, n = np.sort(scores), len(scores)
    rank = min(int(np.ceil((n + 1) * (1 - TAIL))), n)
    return float(ordered[n - rank]), float(ordered[rank - 1])
