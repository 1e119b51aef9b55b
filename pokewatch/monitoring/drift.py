"""Drift: whether the incoming prices still resemble those that the models were trained on.

Each statistic is one value a day, judged against the same market over the eight weeks before:
markets differ, and what is a fault in one is normal on Saturdays in another. A day is out of bounds
where its value lies beyond Tukey's fences of those weeks (1.5 interquartile ranges beyond the
quartiles) and differs from their median by at least a relevant amount (FLOORS). RUN measured days
in succession out of bounds on the same side are drift: a single odd day is not, and a lasting
change is found within the week. The difference must also be significant when the days are pooled.

    moves              the mean log of the size of fresh moves
    unchanged          the log of the share of quotes that do not repeat the day before
    coverage           the share of recently quoted cards that are quoted today
    spread             the median log of the lowest ask over the market price
    set moves          the mean log move of a set's cards in a week, trimmed by a tenth at each end
    set unchanged      the log of the share of a set's quotes that do not repeat the day before,
                       less that of the market

False alarms: among independent days, four in succession lie beyond the same fence once in 100,000
days where the fences are estimated from eight weeks, once in 18,000 where from three; this holds
for Laplace tails and for Student's t with two degrees of freedom. Four statistics have seven sides:
0.01 and 0.07 alarms in 180 days. Autocorrelated days form such runs more often, which is what the
floors are for. Weekly moves of a set overlap, so two days in succession carry as much evidence as
four; their floor is several times what sets of twenty cards showed by chance.

Cards are released and delisted all the time, which is not drift: sets are judged by cards that have
quotes throughout.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pokewatch.valuation.panel import Bools, Floats, Panel

Counts = NDArray[np.int64]

RUN = 4  # days in succession that must be out of bounds
WEEK = 7
REFERENCE = 56  # days before them that they are compared with
MIN_REFERENCE = 21
FLOORS: Mapping[str, float] = MappingProxyType(
    {
        "moves": 0.25,
        "unchanged": 0.25,
        "coverage": 0.05,
        "spread": 0.10,
        "set moves": 0.20,
        "set unchanged": 0.70,
    }
)
_FENCE = 1.5  # Tukey's, in distances between the quartiles
_SIGNIFICANCE = 1e-4  # p-value; divided by the number of sets where each of them is tested
_INSIGNIFICANT = 0.99  # the highest degree of a difference that is not significant
_MIN_CARDS = 20  # for the value of a day, and for a set to be judged on its own
_TRIMMED = 0.1
_RUNS = {"set moves": 2}  # weekly moves overlap, so a change stays in them
_LOWER_ONLY = ("coverage",)
_MAX_BREAK = 3  # days without prices; the move over a longer one is no weekly move

WHY: Mapping[str, str] = MappingProxyType(
    {
        "moves": "change of the usual size of a price's move",
        "unchanged": "change of the share of quotes that repeat the day before",
        "coverage": "change of the share of recently quoted cards that have a quote",
        "spread": "change of the lowest asks relative to the market price",
        "set moves": "weekly move of the set whose prices moved furthest",
        "set unchanged": "change of the share of repeated quotes of the set where it is largest",
    }
)


@dataclass(frozen=True, slots=True)
class Shift:
    """The shift of one statistic: `effect`, in its unit.

    From `limit` on it is drift, if it is significant.
    """

    name: str
    effect: float
    limit: float
    p_value: float
    set_id: str = ""

    @property
    def degree(self) -> float:
        """The effect relative to its limit: drift from 1 on, which takes significance."""
        share = self.effect / self.limit
        return share if self.p_value < _SIGNIFICANCE else min(share, _INSIGNIFICANT)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "effect": self.effect,
            "limit": self.limit,
            "p_value": self.p_value,
            "set_id": self.set_id,
        }


def measure_drift(panel: Panel, day: int | None = None) -> list[Shift]:
    """Return the shifts as of day index `day` (default: the last), one per statistic.

    Of the sets, the one that shifted most. Days after `day` are ignored, and so are those before a
    known change of the market. Empty where there are too few days.
    """
    day = panel.days - 1 if day is None else day
    start = _start(panel, day)
    if day - start - WEEK < MIN_REFERENCE:
        return []
    days = _Days(panel.up_to(day), max(start, day - WEEK - REFERENCE))
    return [days.moves(), days.unchanged(), days.coverage(), *days.spread(), *days.sets()]


def _start(panel: Panel, day: int) -> int:
    return panel.change if 0 < panel.change <= day else 0


class _Days:
    """The days from `first` to the panel's last: the reference, then the days that are judged."""

    def __init__(self, panel: Panel, first: int) -> None:
        self._panel = panel
        self._quote = np.log(panel.market[first:])
        self._move = np.diff(self._quote, axis=0)
        self._both = np.isfinite(self._move)
        self._moved = self._both & (self._move != 0)
        self._fresh = panel.fresh[first + 1 :] & self._both
        self._low = None if panel.low is None else np.log(panel.low[first + 1 :])

    def moves(self) -> Shift:
        size = np.full(self._move.shape, np.nan)
        fresh = self._fresh & self._moved
        size[fresh] = np.log(np.abs(self._move[fresh]))
        return _distribution("moves", size, _daily(size, np.nanmean))

    def unchanged(self) -> Shift:
        moved, both = self._moved.sum(axis=1), self._both.sum(axis=1)
        return _share(
            "unchanged", moved, both, _log_ratio(moved, both.astype(np.float64), both >= _MIN_CARDS)
        )

    def coverage(self) -> Shift:
        """Of the cards quoted in the week before; only a decrease is drift.

        On the first day with prices after a week without, no card is missed.
        """
        quoted = np.isfinite(self._quote)
        lately = np.array(
            [quoted[max(0, day - WEEK) : day].any(axis=0) for day in range(1, len(quoted))]
        )
        had, known = (quoted[1:] & lately).sum(axis=1), lately.sum(axis=1)
        after_a_week = np.where(quoted[1:].any(axis=1), 1.0, np.nan)
        daily = np.where(known > 0, had / np.maximum(1, known), after_a_week)
        return _share("coverage", had, known, daily)

    def spread(self) -> Iterator[Shift]:
        if self._low is not None:
            spread = self._low - self._quote[1:]
            yield _distribution("spread", spread, _daily(spread, np.nanmedian))

    def sets(self) -> Iterator[Shift]:
        found = [
            shift for name, cards in self._judged_sets() for shift in self._of_set(name, cards)
        ]
        sets = max(1, len(found) // 2)
        for name in ("set moves", "set unchanged"):
            of_name = [shift for shift in found if shift.name == name]
            if of_name:
                worst = max(
                    of_name,
                    key=lambda shift: (
                        shift.p_value * sets < _SIGNIFICANCE,
                        shift.effect / shift.limit,
                    ),
                )
                yield Shift(
                    name, worst.effect, worst.limit, min(1.0, worst.p_value * sets), worst.set_id
                )

    def _judged_sets(self) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Yield sets with enough cards quoted throughout.

        The prices of a new set fall for weeks, which is not drift.
        """
        quoted = np.isfinite(self._quote)
        lasting = quoted[:WEEK].any(axis=0) & quoted[-WEEK:].any(axis=0)
        cards = np.flatnonzero(lasting)
        names, code = np.unique(self._panel.set_id[cards], return_inverse=True)
        order, ends = np.argsort(code, kind="stable"), np.cumsum(np.bincount(code))
        # None after the last end; of no names at all, that is the only part.
        parts = np.split(cards[order], ends)[:-1]
        for name, of_set in zip(names.tolist(), parts, strict=True):
            if len(of_set) >= _MIN_CARDS:
                yield name, of_set

    def _of_set(self, name: str, cards: NDArray[np.int64]) -> Iterator[Shift]:
        known = _last_known(self._quote[:, cards])
        weekly = known[WEEK:] - known[:-WEEK]
        weekly[self._days_since_prices[:-WEEK] > _MAX_BREAK] = np.nan
        yield _distribution("set moves", weekly, _trimmed_means(weekly), name)
        moved, both = (counted[:, cards].sum(axis=1) for counted in (self._moved, self._both))
        usual = both * self._moved.sum(axis=1) / np.maximum(1, self._both.sum(axis=1))
        yield _share(
            "set unchanged", moved, both, _log_ratio(moved, usual, both >= _MIN_CARDS // 2), name
        )

    @cached_property
    def _days_since_prices(self) -> Counts:
        """The number of days [d] since one with prices, 0 on such a day."""
        days = np.arange(len(self._quote))
        quoted = np.isfinite(self._quote).any(axis=1)
        return days - np.maximum.accumulate(np.where(quoted, days, 0))


def _distribution(name: str, values: Floats, daily: Floats, set_id: str = "") -> Shift:
    """Judge `daily` [d], the statistic of `values` [d, n].

    Significance by the two-sample Kolmogorov-Smirnov test.
    """
    effect, limit, run = _judged(name, daily)
    if effect < limit:
        return Shift(name, effect, limit, 1.0, set_id)
    now, before = (part[np.isfinite(part)] for part in (values[run], values[:-WEEK]))
    return Shift(
        name, effect, limit, float(stats.ks_2samp(now, before, method="asymp").pvalue), set_id
    )


def _share(name: str, counted: Counts, of: Counts, daily: Floats, set_id: str = "") -> Shift:
    """Judge a share: `daily` [d] is computed from the `counted` [d] out of `of` [d].

    Significance is by the chi-squared test.
    """
    effect, limit, run = _judged(name, daily)
    if effect < limit:
        return Shift(name, effect, limit, 1.0, set_id)
    table = np.array(
        [[counted[days].sum(), (of - counted)[days].sum()] for days in (run, slice(None, -WEEK))]
    )
    varies = bool((table.sum(axis=0) > 0).all())
    return Shift(
        name, effect, limit, float(stats.chi2_contingency(table).pvalue) if varies else 1.0, set_id
    )


def _judged(name: str, daily: Floats) -> tuple[float, float, NDArray[np.int64]]:
    """Return (effect, limit, the days judged) of a daily statistic [d], NaN where it is unknown.

    The effect is the smallest distance of the last days from the median of the reference, on the
    side where it is largest relative to the limit; 0 where there are too few days.
    """
    measured, length = np.isfinite(daily), _RUNS.get(name, RUN)
    run = len(daily) - WEEK + np.flatnonzero(measured[-WEEK:])[-length:]
    before = daily[:-WEEK][measured[:-WEEK]]
    if len(run) < length or len(before) < MIN_REFERENCE // 2:
        return 0.0, FLOORS[name], run
    low, middle, high = np.quantile(before, (0.25, 0.5, 0.75)).tolist()
    fence = _FENCE * (high - low)
    above, below = max(FLOORS[name], high + fence - middle), max(FLOORS[name], middle - low + fence)
    over, under = float((daily[run] - middle).min()), float((middle - daily[run]).min())
    if name not in _LOWER_ONLY and over / above > under / below:
        return max(0.0, over), above, run
    return max(0.0, under), below, run


def _daily(values: Floats, figure: Callable[..., Floats]) -> Floats:
    """Return [d], the statistic of each day of [d, n]; NaN on days with too few values."""
    enough = np.isfinite(values).sum(axis=1) >= _MIN_CARDS
    found = np.full(len(values), np.nan)
    found[enough] = figure(values[enough], axis=1)
    return found


def _trimmed_means(values: Floats) -> Floats:
    """Return the trimmed mean [d] of each day of [d, n]; NaN on days that lack a card."""
    means: Floats = stats.trim_mean(values, _TRIMMED, axis=1)
    return means


def _log_ratio(counted: Counts, usual: Floats, enough: Bools) -> Floats:
    """Return [d], the log of `counted` over `usual`; NaN on days without `enough`."""
    return np.where(enough, np.log((counted + 0.5) / (usual + 0.5)), np.nan)


def _last_known(quotes: Floats) -> Floats:
    """Return quotes [d, n] filled forward; NaN before the first."""
    days = np.where(np.isfinite(quotes), np.arange(len(quotes))[:, None], 0)
    return np.take_along_axis(quotes, np.maximum.accumulate(days, axis=0), axis=0)
