"""Predictive distributions and their 90% intervals, calibrated on errors of held-out forecasts.

Split conformal prediction (Lei et al., "Distribution-free predictive inference for regression",
JASA 2018) and conformal predictive distributions (Vovk et al., "Nonparametric predictive
distributions based on conformal prediction", Machine Learning 2019), Mondrian: calibrated by
the probability of an unchanged quote, volatility, price and the move that is forecast. Errors are
scaled by the usual ones of similar cards. A median of all outcomes is too near the last quote for
those that change, so their errors are on the side of the move that was forecast.

Many quotes do not change within the horizon. An interval that holds 90% of all outcomes would hold
far fewer of those that do, so the two are calibrated apart: the probability of an unchanged quote,
and the errors of the changed ones. The interval holds 90% of the changed quotes, but fewer where it
would hold more than MAX_COVERAGE of all: with half of the quotes unchanged, and so inside, both
cannot be 90%.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.decision.distribution import (
    LEVELS,
    interpolate_quantiles,
)
from pokewatch.valuation.binning import classes_of
from pokewatch.valuation.book import STATUSES
from pokewatch.valuation.common_errors import CardOutcomes, common_errors
from pokewatch.valuation.error_model import (
    MIN_SCALE,
    PRICE_CLASSES,
    TERMS,
    error_terms,
    fit_scale,
    price_class,
)
from pokewatch.valuation.error_shapes import ErrorShapes
from pokewatch.valuation.features import COLUMN, MIN_QUOTES
from pokewatch.valuation.least_squares import weighted_sum
from pokewatch.valuation.panel import Bools, Floats
from pokewatch.valuation.spread import PRIOR_SHAPE, Spread
from pokewatch.valuation.unchanged_quotes import UnchangedQuotes

Ints = NDArray[np.int64]
Terms = list[Floats]
FeatureRows = NDArray[np.float32]

OK, STALE_PRICE, THIN_HISTORY, WIDE_INTERVAL, UNKNOWN_CARD, UNCONFIRMED_JUMP = range(len(STATUSES))

LIQUIDITIES = ("dormant", "slow", "active")
_LIQUIDITY_EDGES = (0.04, 0.2)  # share of days with a fresh quote
_RENEWED_DAYS = 3
BANDS = ("<1", "1-5", "5-20", "20-100", ">100")
_BAND_EDGES = (1.0, 5.0, 20.0, 100.0)

TAIL = 0.05  # share of the changed quotes below the interval, and above it
MAX_COVERAGE = 0.935  # of all quotes, where unchanged ones would bring it above that
_MIN_CHANGED_COVERAGE = 0.5
UNCHANGED = 1e-9  # log: a smaller move is none
_MIN_ERRORS = 200  # changed quotes, for a scale and a class of their own
_MIN_CELL_ERRORS = 300  # changed quotes in a cell, for it to be used by itself
_MIN_UNITS = 60  # independent ones among them
_MIN_DISTANCE = 1e-3  # log, of an edge from the forecast
_SCALE_LEVELS = (1 / 3, 2 / 3, 0.9)  # the largest scales vary the most: a class of their own
_DIRECTION_EDGES = (-1.0, -0.3, 0.3, 1.0)  # forecast move in units of the scale
_COARSE_DIRECTIONS = np.array((0, 1, 1, 1, 2))
_CLASS_EDGES = (0.1, 0.35, 0.7)  # probability of an unchanged quote
_CLASSES = len(_CLASS_EDGES) + 1
_GROUPS = _CLASSES * (len(_SCALE_LEVELS) + 1)
_CELLS = (len(_DIRECTION_EDGES) + 1) * _GROUPS * PRICE_CLASSES
_NO_WEIGHTS = (0.0,) * TERMS


@dataclass(frozen=True, slots=True)
class StatusRules:
    """The limits beyond which a value is given but its status is not `ok`."""

    thin_days: int = MIN_QUOTES  # fewer quoted days are a thin history
    stale_days: int = 60  # days without a fresh quote that make the price stale
    missing_days: int = 3  # days without any quote that make the price stale
    wide_ratio: float = 3.0  # upper over lower beyond which the interval is wide


def liquidity_of(values: FeatureRows) -> NDArray[np.int64]:
    """Return an index into LIQUIDITIES [m] for features `values` [m, F].

    A card whose quote has not been renewed for more than three days is dormant, whatever its past.
    """
    liquidity = classes_of(values[:, COLUMN["fresh_share"]], _LIQUIDITY_EDGES)
    return np.where(is_recent(values), liquidity, 0)


def is_recent(values: FeatureRows) -> Bools:
    """Return which quotes [m] were renewed in the last three days."""
    return np.asarray(~(values[:, COLUMN["stale_days"]] > _RENEWED_DAYS))


def band_of(price: NDArray[Any]) -> NDArray[np.int64]:
    """Return an index into BANDS; a price on an edge belongs to the higher band."""
    return np.searchsorted(_BAND_EDGES, price, side="right")


class Intervals:
    """Calibrated spreads by cell: class x volatility x price x direction of the forecast.

    A class is a range of the probability of an unchanged quote. A cell with few errors takes the
    shape of the first of these groups that has enough: its neighbours of similar direction, all of
    similar direction at its price, those of its class and volatility at any price, all of similar
    direction, all cards. A class with few errors uses the cells of the next one.
    """

    def __init__(self, parameters: Mapping[str, Any] | None = None) -> None:
        given = parameters or {}
        self._scale = np.asarray(given.get("scale", _NO_WEIGHTS))
        self._classes = np.asarray(given.get("classes", range(_CLASSES)), dtype=np.int64)
        self._cuts = np.asarray(given.get("cuts", ((0.0,) * len(_SCALE_LEVELS),) * _CLASSES))
        self._shapes = np.asarray(given.get("shapes", ())).reshape(-1, 1 + len(LEVELS))
        self._shape_of = np.asarray(given.get("shape_of", (0,) * _CELLS), dtype=np.int64)
        self._unchanged = UnchangedQuotes(given.get("unchanged"))

    def fit(
        self,
        values: FeatureRows,
        moves: Floats,
        errors: Floats,
        unchanged: Bools,
        outcomes: CardOutcomes,
    ) -> None:
        """Calibrate on the errors of held-out forecasts.

        `moves` [m] are the forecast log moves, `errors` [m] the log quote at the horizon minus the
        log forecast; `values` [m, F] are the features. `unchanged` [m] is True where the quote
        equals the last one. `outcomes` [m] are theirs: overlapping ones of a card count as one.
        With fewer than 40 errors of changed quotes there is no calibration, unless there are so
        many others that quotes hardly change.
        """
        self.__init__()  # type: ignore[misc]
        terms, changed = error_terms(values, moves), ~unchanged
        if len(errors) >= 2 / TAIL:
            self._unchanged.fit(terms, values, unchanged, outcomes.unit)
        if np.count_nonzero(changed) >= 2 / TAIL:
            own_terms = [term[changed] for term in terms]
            own = values[changed], moves[changed], errors[changed]
            self._fit_shapes(own_terms, *own, outcomes.select(changed))
        elif len(errors) >= _MIN_ERRORS:
            self._shapes = np.array([PRIOR_SHAPE])

    def spread(self, values: FeatureRows, moves: Floats) -> Spread:
        """Return the spread of the cards with features `values` [m, F] and forecast `moves` [m]."""
        terms = error_terms(values, moves)
        scale = self._scales(terms)
        unchanged = self._unchanged.chance(terms, values)
        shape = self._shape_of[self._cell(values, moves, scale, unchanged)]
        held = np.clip(
            (MAX_COVERAGE - unchanged) / (1.0 - unchanged), _MIN_CHANGED_COVERAGE, 1.0 - 2 * TAIL
        )
        quantiles = self._shapes[shape, 1:]
        below = interpolate_quantiles(quantiles, (1.0 - held) / 2) * scale
        above = interpolate_quantiles(quantiles, (1.0 + held) / 2) * scale
        return Spread(
            np.minimum(below, -_MIN_DISTANCE),
            np.maximum(above, _MIN_DISTANCE),
            scale,
            unchanged,
            shape,
            self._shapes,
        )

    @property
    def calibrated(self) -> bool:
        """Whether there were enough errors to calibrate on."""
        return len(self._shapes) > 0

    def parameters(self) -> dict[str, Any]:
        """Return the calibration as plain JSON."""
        return {
            "scale": self._scale.tolist(),
            "classes": self._classes.tolist(),
            "cuts": self._cuts.tolist(),
            "shapes": self._shapes.tolist(),
            "shape_of": self._shape_of.tolist(),
            "unchanged": self._unchanged.parameters(),
        }

    def _fit_shapes(
        self,
        terms: Terms,
        values: FeatureRows,
        moves: Floats,
        errors: Floats,
        outcomes: CardOutcomes,
    ) -> None:
        # A scale fitted to few errors overfits them: with less than a cell's worth, it is constant.
        if len(errors) >= _MIN_ERRORS:
            self._scale = fit_scale(terms, errors)
        scale, chance = self._scales(terms), self._unchanged.chance(terms, values)
        own_class = classes_of(chance, _CLASS_EDGES)
        self._classes = _nearest(np.bincount(own_class, minlength=_CLASSES) >= _MIN_ERRORS)
        number = self._classes[own_class]
        groups = [scale[number == each] for each in range(_CLASSES)]
        self._cuts = np.stack([np.quantile(g if len(g) else scale, _SCALE_LEVELS) for g in groups])
        common = common_errors(errors / scale, outcomes)
        scores = errors / scale - common.mean
        # A stable sort by cell leaves the scores of each ascending.
        order = np.argsort(scores)
        scores, unit = scores[order], outcomes.unit[order]
        cell = self._cell(values, moves, scale, chance)[order]
        shape_of = ErrorShapes(common)
        shapes = [shape_of(scores, unit.max() + 1)]
        for cells, inside, units in _usable_cells(cell, unit):
            self._shape_of[cells] = len(shapes)
            shapes.append(shape_of(scores[inside], units))
        # A book numbers the shapes of all its models in 16 bits: those of no cell are dropped.
        used = np.unique(np.append(self._shape_of, 0))
        self._shape_of = np.searchsorted(used, self._shape_of)
        self._shapes = np.stack(shapes)[used]

    def _scales(self, terms: Terms) -> Floats:
        logs = weighted_sum(terms, self._scale)
        scale: Floats = np.exp(np.clip(logs, np.log(MIN_SCALE) - 3, 1.0))
        return scale

    def _cell(self, values: FeatureRows, moves: Floats, scale: Floats, chance: Floats) -> Ints:
        number = self._classes[classes_of(chance, _CLASS_EDGES)]
        volatility = (scale[:, None] > self._cuts[number]).sum(axis=1)
        direction = classes_of(moves / scale, _DIRECTION_EDGES)
        group = direction * _GROUPS + number * (len(_SCALE_LEVELS) + 1) + volatility
        cell: Ints = group * PRICE_CLASSES + price_class(values)
        return cell


def statuses(
    fair: Floats,
    lower: Floats,
    upper: Floats,
    new: Bools,
    since: NDArray[Any],
    age: NDArray[Any],
    unconfirmed: NDArray[np.bool_],
    rules: StatusRules,
) -> NDArray[np.int8]:
    """Return an index into STATUSES [n]; a thin history precedes an unconfirmed jump.

    Then follow a stale price and a wide interval. A card without an interval has a thin history:
    nothing is known of how far its price moves.

    `new` marks cards new to the market, `since` are the days since the last quote, and `age` those
    since the last fresh one; `unconfirmed` marks quotes that await confirmation, all [n].
    """
    status = np.full(len(fair), OK, dtype=np.int8)
    with np.errstate(invalid="ignore"):
        status[upper > rules.wide_ratio * lower] = WIDE_INTERVAL
        status[(age > rules.stale_days) | (since > rules.missing_days)] = STALE_PRICE
    status[unconfirmed] = UNCONFIRMED_JUMP
    known = np.isfinite(fair) & np.isfinite(upper - lower)
    status[new | ~known] = THIN_HISTORY
    return status


def _nearest(usable: Bools) -> Ints:
    """Return for each index the nearest one that is `usable`, the higher of two; else itself."""
    found = np.flatnonzero(usable)
    if not len(found):
        return np.arange(len(usable))
    distance = np.abs(np.arange(len(usable))[:, None] - found[::-1])
    nearest: Ints = found[::-1][np.argmin(distance, axis=1)]
    return nearest


def _levels(cell: Ints) -> tuple[Ints, ...]:
    """Return the groups that `cell` [m] is in, from the largest to the cell itself.

    They are all of similar direction, then those of one class and volatility, those at one price,
    those of one class, volatility and price, and the cell. A later group overrides an earlier one.
    """
    group, price = np.divmod(cell, PRICE_CLASSES)
    direction, within = np.divmod(group, _GROUPS)
    coarse = _COARSE_DIRECTIONS[direction]
    all_prices = coarse * _GROUPS + within
    by_price, coarse_cell = (each * PRICE_CLASSES + price for each in (coarse, all_prices))
    return coarse, all_prices, by_price, coarse_cell, cell


def _usable_cells(cell: Ints, unit: Ints) -> Iterator[tuple[Ints, Ints, int]]:
    """Yield the cells of each group with enough rows, by level of detail.

    Beside them are the rows, ascending, and the number of their units.
    """
    for group, group_of_cell in zip(_levels(cell), _levels(np.arange(_CELLS)), strict=True):
        rows = np.argsort(group.astype(np.int16), kind="stable")  # 16 bits: a radix sort
        count = np.bincount(group)
        end = np.cumsum(count)
        for code in np.flatnonzero(count >= _MIN_CELL_ERRORS).tolist():
            inside = rows[end[code] - count[code] : end[code]]
            units = int(np.count_nonzero(np.bincount(unit[inside])))
            if units >= _MIN_UNITS:
                yield np.flatnonzero(group_of_cell == code), inside, units
