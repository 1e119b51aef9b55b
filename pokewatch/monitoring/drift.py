"""Whether the prices that come in still look like those the models have learnt from.

The last week is compared with the eight weeks before it: whole weeks, because markets have weekdays. With thousands of cards
every p-value is tiny, so a difference counts only where it is large as well: each has a limit of its own, several times what
quiet markets showed by chance (tests/monitoring/test_drift.py measures that). What is compared:

    moves              the size of fresh moves, by the two-sample Kolmogorov-Smirnov statistic
    unchanged          the share of quotes that repeat the day before
    coverage           the share of known cards that have a quote
    spread             the lowest ask over the market price, by the Kolmogorov-Smirnov statistic
    set moves          how far the cards of one set went in a week, against that set's own weeks before
    set unchanged      the share of its quotes that repeat the day before

Cards are released and delisted all the time, which is no drift: sets are judged by cards quoted all the while.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pokewatch.valuation.panel import Bools, Floats, Panel

WINDOW = 7  # days that are judged
REFERENCE = 56  # days before them that they are compared with
LEAST_REFERENCE = 21
LIMITS: Mapping[str, float] = MappingProxyType(
    {"moves": 0.10, "unchanged": 0.06, "coverage": 0.05, "spread": 0.10, "set moves": 0.50, "set unchanged": 0.12}
)
_CHANCE = 1e-4  # p-value above which a difference may be luck; divided by the sets where each of them is tested
_LUCK = 0.99
_LEAST_CARDS = 20  # of a set, before it is judged alone
_LEAST_MOVES = 30

WHY: Mapping[str, str] = MappingProxyType(
    {
        "moves": "prices move more, or less, than they did",
        "unchanged": "more quotes, or fewer, repeat the day before than did",
        "coverage": "cards that had a quote have none",
        "spread": "the lowest asks lie elsewhere than they did",
        "set moves": "a set went another way than it ever did",
        "set unchanged": "the quotes of a set stand still, or no longer do",
    }
)


@dataclass(frozen=True, slots=True)
class Shift:
    """How far one thing has shifted: `effect` in its own measure, which is too much beyond `limit`, unless it may be luck."""

    name: str
    effect: float
    limit: float
    p_value: float
    set_id: str = ""

    @property
    def degree(self) -> float:
        """The effect as a share of its limit: from 1 on it is too much, which luck never is."""
        share = self.effect / self.limit
        return share if self.p_value < _CHANCE else min(share, _LUCK)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "effect": self.effect, "limit": self.limit, "p_value": self.p_value, "set_id": self.set_id}


def measure_drift(panel: Panel, day: int | None = None) -> list[Shift]:
    """The shifts as of day index `day` (the last by default), one a name; of the sets, the one that shifted most.

    Days after `day` are not looked at, nor those before the market changed, where that is known. [] while there are too few.
    """
    day = panel.days - 1 if day is None else day
    weeks = min(day - _start(panel, day) - WINDOW, REFERENCE) // WINDOW
    if weeks * WINDOW < LEAST_REFERENCE:
        return []
    first = day - WINDOW * (weeks + 1)
    days = _Days(panel.up_to(day), first)
    return [days.moves(), days.unchanged(), days.coverage(), *days.spread(), *days.sets()]


def _start(panel: Panel, day: int) -> int:
    changed = panel.changed and int((np.datetime64(panel.changed, "D") - panel.dates[0]).astype(np.int64))
    return changed if changed and 0 < changed <= day else 0


class _Days:
    """The days from `first` to the panel's last: the reference and, at their end, the window."""

    def __init__(self, panel: Panel, first: int) -> None:
        self._panel = panel
        self._quote = np.log(panel.market[first:])
        self._move = np.diff(self._quote, axis=0)
        self._both = np.isfinite(self._move)
        self._fresh = panel.fresh[first + 1 :] & self._both
        self._low = None if panel.low is None else np.log(panel.low[first + 1 :])

    def moves(self) -> Shift:
        size = np.abs(self._move)
        now, before = size[-WINDOW:][self._fresh[-WINDOW:]], size[:-WINDOW][self._fresh[:-WINDOW]]
        if min(len(now), len(before)) < _LEAST_MOVES:  # quotes that stand still are the business of `unchanged`
            return Shift("moves", 0.0, LIMITS["moves"], 1.0)
        return _distance("moves", now, before)

    def unchanged(self) -> Shift:
        return _share("unchanged", *self._repeats(slice(None)))

    def coverage(self) -> Shift:
        """Of the cards that the week before had, against that week: more of them is no fault."""
        quoted = np.isfinite(self._quote[-2 * WINDOW :])
        cards = quoted[:WINDOW].any(axis=0)
        daily = quoted[:, cards].sum(axis=1).astype(np.float64)
        now, before = daily[WINDOW:], daily[:WINDOW]
        return _share("coverage", np.minimum(now, before.mean()), before, *np.full((2, WINDOW), float(cards.sum())))

    def spread(self) -> Iterator[Shift]:
        if self._low is not None:
            spread = self._low - self._quote[1:]
            now, before = (part[np.isfinite(part)] for part in (spread[-WINDOW:], spread[:-WINDOW]))
            if min(len(now), len(before)) >= _LEAST_MOVES:
                yield _distance("spread", now, before)

    def sets(self) -> Iterator[Shift]:
        found = [shift for name, cards in self._judged_sets() for shift in self._of_set(name, cards)]
        sets = max(1, len(found) // 2)
        for name in ("set moves", "set unchanged"):
            of_name = [shift for shift in found if shift.name == name]
            if of_name:
                worst = max(of_name, key=lambda shift: (shift.p_value * sets < _CHANCE, shift.effect))
                yield Shift(name, worst.effect, worst.limit, min(1.0, worst.p_value * sets), worst.set_id)

    def _judged_sets(self) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Sets with cards enough that have been quoted all the while: prices of a new set fall for weeks, which is no drift."""
        lasting = np.isfinite(self._quote[0]) & np.isfinite(self._quote[-1])
        for name in np.unique(self._panel.set_id[lasting]).tolist():
            cards = np.flatnonzero(lasting & (self._panel.set_id == name))
            if len(cards) >= _LEAST_CARDS:
                yield name, cards

    def _of_set(self, name: str, cards: NDArray[np.int64]) -> Iterator[Shift]:
        weekly = np.diff(self._quote[::WINDOW, cards], axis=0)
        now, before = weekly[-1], weekly[:-1].ravel()
        now, before = now[np.isfinite(now)], before[np.isfinite(before)]
        if len(now) >= _LEAST_CARDS and len(before) >= _LEAST_CARDS:
            yield _distance("set moves", now, before, name)
        yield _share("set unchanged", *self._repeats(cards), set_id=name)

    def _repeats(self, cards: slice | NDArray[np.int64]) -> tuple[Floats, Floats, Floats, Floats]:
        both = self._both[:, cards]
        return *_split((both & (self._move[:, cards] == 0)).sum(axis=1)), *_split(both.sum(axis=1))


def _split(daily: NDArray[Any]) -> tuple[Floats, Floats]:
    return daily[-WINDOW:].astype(np.float64), daily[:-WINDOW].astype(np.float64)


def _distance(name: str, now: Floats, before: Floats, set_id: str = "") -> Shift:
    """Kolmogorov-Smirnov: the largest distance between the two distribution functions."""
    found = stats.ks_2samp(now, before, method="asymp")
    return Shift(name, float(found.statistic), LIMITS[name], float(found.pvalue), set_id)


def _share(name: str, now: Floats, before: Floats, of_now: Floats, of_before: Floats, set_id: str = "") -> Shift:
    """The difference of two shares, counted day by day; tested as one two-by-two table (chi-squared)."""
    table = np.array([[now.sum(), of_now.sum() - now.sum()], [before.sum(), of_before.sum() - before.sum()]])
    if table.sum(axis=1).min() == 0:
        return Shift(name, 0.0, LIMITS[name], 1.0, set_id)
    effect = abs(table[0, 0] / table[0].sum() - table[1, 0] / table[1].sum())
    varies: Bools = table.sum(axis=0) > 0
    p_value = float(stats.chi2_contingency(table).pvalue) if varies.all() else 1.0
    return Shift(name, float(effect), LIMITS[name], p_value, set_id)
