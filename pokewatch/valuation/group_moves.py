"""The moves of a card's neighbours: the cards of its set, its rarity and its whole market."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.panel import Bools, Floats, Panel

_SHRINKAGE_CARDS = 10.0  # cards' worth of weight on the wider group
_MAX_GROUP_MOVE = 0.25  # log: a single card counts for no more in its group
_RELEASE_DAYS = 70  # days after its release in which a set drifts
_DRIFT_KEPT = 0.85  # weight of the day before, against 1 of the day
_DRIFT_PRIOR_DAYS = 100.0  # card-days' worth of weight on no drift


class GroupMoves:
    """Mean fresh moves by set and rarity; a group is shrunk to its set, a set to the market."""

    def __init__(self, panel: Panel) -> None:
        self.set_code = _codes(panel.currency, panel.set_id)
        self.rarity_code = _codes(panel.currency, panel.rarity)
        self.code = _codes(panel.currency, panel.set_id, panel.rarity)
        self._all = np.zeros(panel.cards, dtype=np.int64)
        self.index = np.zeros(panel.cards)
        self._released = panel.released
        self._dates = panel.dates
        self._set_moves = np.zeros(int(self.set_code.max(initial=-1)) + 1)
        self._set_days = np.zeros(len(self._set_moves))
        self.past: deque[tuple[Floats, Floats, Floats, Floats]] = deque(maxlen=7)

    def advance(self, move: Floats, quoted: Bools) -> None:
        known = np.isfinite(move)
        clipped = np.where(known, np.clip(move, -_MAX_GROUP_MOVE, _MAX_GROUP_MOVE), 0.0)
        rows = np.flatnonzero(known)
        market = _shrunk_mean(self._all, clipped, known, rows, np.zeros(len(move)))
        by_set = _shrunk_mean(self.set_code, clipped, known, rows, market)
        by_rarity = _shrunk_mean(self.rarity_code, clipped, known, rows, market)
        by_group = _shrunk_mean(self.code, clipped, known, rows, by_set)
        # Cards without a fresh quote are assumed to move only by the share of those with one.
        share = known.sum() / max(quoted.sum(), 1)
        self.index = self.index + by_group * share
        self.past.append((by_group * share, by_set * share, by_rarity * share, market * share))

    def release_drift(self, day: int, move: Floats, elapsed: Floats) -> Floats:
        """Return the daily move [n] of sets in the weeks after their release, 0 for the others.

        Sets fall in those weeks, and a level that is slow to follow would expect them to recover.
        `move` [n] are the fresh moves of `day`, over the `elapsed` days [n].
        """
        known = np.isfinite(move)
        clipped = np.where(known, np.clip(move, -_MAX_GROUP_MOVE, _MAX_GROUP_MOVE), 0.0)
        sets = len(self._set_moves)
        moves = np.bincount(self.set_code, weights=clipped, minlength=sets)
        days = np.bincount(self.set_code, weights=np.where(known, elapsed, 0.0), minlength=sets)
        self._set_moves = _DRIFT_KEPT * self._set_moves + moves
        self._set_days = _DRIFT_KEPT * self._set_days + days
        drift = (self._set_moves / (self._set_days + _DRIFT_PRIOR_DAYS))[self.set_code]
        age = (self._dates[day] - self._released).astype(np.float64)
        age[np.isnat(self._released)] = np.nan
        return np.where((age >= 0) & (age <= _RELEASE_DAYS), drift, 0.0)

    def features(self) -> dict[str, Floats]:
        names = ("group_move_7", "set_move_7", "rarity_move_7", "market_move_7")
        sums = [np.zeros(len(self.index)) for _ in names]
        for moves in self.past:
            for sum_, move in zip(sums, moves, strict=True):
                np.add(sum_, move, out=sum_)
        return dict(zip(names, sums, strict=True))


def _shrunk_mean(
    code: NDArray[np.int64],
    move: Floats,
    known: Bools,
    rows: NDArray[np.int64],
    wider: Floats,
) -> Floats:
    """Return the mean known move of each card's group [n], without the card itself.

    `rows` are the known ones. The mean is shrunk towards `wider` with the weight of
    `_SHRINKAGE_CARDS` cards.
    """
    groups = int(code.max(initial=-1)) + 1
    total = np.bincount(code[rows], weights=move[rows], minlength=groups)[code] - move
    count = np.bincount(code[rows], minlength=groups)[code] - known
    mean: Floats = (total + _SHRINKAGE_CARDS * wider) / (count + _SHRINKAGE_CARDS)
    return mean


def _codes(*texts: NDArray[np.str_]) -> NDArray[np.int64]:
    code = np.zeros(len(texts[0]), dtype=np.int64)
    for text in texts:
        values, own = np.unique(text, return_inverse=True)
        code = np.unique(code * len(values) + own, return_inverse=True)[1]
    return code
