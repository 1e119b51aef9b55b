"""Intervals while history is too short to calibrate them: from the moves of similar cards.

With fewer days than a horizon and its outcome, no forecast has been judged yet. What is known then
is how far quotes moved from one day to the next. The moves of all cards so far are pooled by the
card's share of days with a change and by its price band, as of the day before each move. The move
over the horizon is that of a random walk: the sum of as many independent draws from the card's pool
as there are days, computed by the discrete Fourier transform (Embrechts and Frei, "Panjer recursion
versus FFT for compound distributions", Math. Meth. Oper. Res. 2009). Multiplying the quantiles of a
day's moves by the square root of the days would be wrong: most quotes do not change in a day, and a
zero stays a zero however often it is multiplied. As a few days share the direction of the market,
only the sizes of moves are used, and either sign is equally likely; and as they share how busy the
market was, the distance is multiplied by the square root of 1 + 1 / days, the factor by which a
scale estimated from so many observations widens a forecast.

A pool is shrunk to that of the price band, and the band's to that of all cards. With fewer than
MIN_MOVES moves, or fewer than MIN_CHANGES that are changes, there is no interval.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.binning import classes_of

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

MIN_MOVES = 40
MIN_CHANGES = 10
TAIL = 0.05  # share of the quotes below the interval, and above it
_STEP = 0.0025  # log: sizes of moves are rounded up to a multiple of it
_SIZES = 801  # the largest is a move of 2 (log)
_PERIOD = 8_192  # of the transform: sums up to 10 (log)
_SHRINKAGE_MOVES = 40.0  # moves' worth of weight on the wider pool
_SHARE_EDGES = (0.04, 0.2)  # of days with a change
_UNKNOWN = len(_SHARE_EDGES) + 1  # no move of the card is known yet
_LOG_BAND_EDGES = np.log((1.0, 5.0, 20.0, 100.0)).tolist()
_BANDS = len(_LOG_BAND_EDGES) + 1
_CELLS = (_UNKNOWN + 1) * _BANDS


def days_needed(horizon: int) -> int:
    """Return the days of prices that an evaluation at a horizon needs.

    The outcome of a training day is known after one horizon, that of a forecast after another.
    """
    return 2 * horizon + 1


def judged_days(quoted: Bools, horizon: int) -> NDArray[np.int64]:
    """Return the day indices whose forecasts can be judged, of a panel with the `quoted` days [d].

    There are prices on the day and `horizon` days later, and a training day may precede it: none of
    the first `horizon` days is returned.
    """
    if len(quoted) < days_needed(horizon):
        return np.empty(0, dtype=np.int64)
    judged: NDArray[np.int64] = np.flatnonzero(quoted[horizon:-horizon] & quoted[2 * horizon :])
    return judged + horizon


@dataclass(frozen=True, slots=True)
class PooledMoves:
    """The moves of all cards up to a day: `counts` [cells, sizes] on so many `days`.

    `elapsed` is the sum of the days that each of them took. `cell` [n] is the pool of each card for
    its next move.
    """

    counts: NDArray[np.int64]
    days: int
    elapsed: int
    cell: Codes

    def distance(self, horizon: int) -> Floats:
        """Return the log distance [n] of both edges of the interval from the last quote.

        NaN where too few moves are known. It is never less than the median change of the pool.
        """
        total = self.counts.sum()
        if total < MIN_MOVES or self.counts[:, 1:].sum() < MIN_CHANGES:
            return np.full(len(self.cell), np.nan)
        # A quote missing for some days moves further: fewer, larger steps make the same horizon.
        steps = max(1, int(np.ceil(horizon * total / self.elapsed)))
        edges = np.array([_edge(pool, steps) for pool in self._pools()])
        distance: Floats = edges[self.cell] * np.sqrt(1.0 + 1.0 / self.days)
        return distance

    def _pools(self) -> Floats:
        """Return the shares [cells, sizes] of each pool, shrunk to wider ones."""
        everything = self.counts.sum(axis=0) / self.counts.sum()
        by_band = self.counts.reshape(-1, _BANDS, _SIZES).sum(axis=0)
        bands = _shrunk(by_band, np.broadcast_to(everything, by_band.shape))
        return _shrunk(self.counts, np.tile(bands, (_CELLS // _BANDS, 1)))


class MoveCounter:
    """Counts the moves of n cards, day by day."""

    def __init__(self, cards: int) -> None:
        self._last = np.full(cards, np.nan)
        self._day = np.zeros(cards, dtype=np.int64)
        self._moves = np.zeros(cards, dtype=np.int64)
        self._changes = np.zeros(cards, dtype=np.int64)
        self._cell = self._cells()
        self._counts = np.zeros(_CELLS * _SIZES, dtype=np.int64)
        self._days = 0
        self._elapsed = 0

    def advance(self, day: int, quote: Floats) -> None:
        """Count the moves to the log quotes [n] of day index `day`."""
        quoted = np.isfinite(quote)
        rows = np.flatnonzero(quoted & np.isfinite(self._last))
        size = np.ceil(np.abs(quote[rows] - self._last[rows]) / _STEP - 1e-6).astype(np.int64)
        self._counts += np.bincount(
            self._cell[rows] * _SIZES + np.minimum(size, _SIZES - 1), minlength=_CELLS * _SIZES
        )
        self._days += len(rows) > 0
        self._elapsed += int((day - self._day[rows]).sum())
        self._moves[rows] += 1
        self._changes[rows] += size > 0
        self._last[quoted] = quote[quoted]
        self._day[quoted] = day
        self._cell = self._cells()

    def pooled(self) -> PooledMoves:
        """Return the moves counted so far."""
        counts = self._counts.reshape(_CELLS, _SIZES).copy()
        return PooledMoves(counts, self._days, self._elapsed, self._cell)

    def _cells(self) -> Codes:
        share = classes_of(self._changes / np.maximum(self._moves, 1), _SHARE_EDGES)
        band = classes_of(self._last, _LOG_BAND_EDGES, "right")
        return np.where(self._moves, share, _UNKNOWN) * _BANDS + np.minimum(band, _BANDS - 1)


def _shrunk(counts: NDArray[np.int64], wider: Floats) -> Floats:
    """Return the shares of `counts` [p, sizes], shrunk to the shares `wider` [p, sizes]."""
    total = counts.sum(axis=1, keepdims=True)
    shares: Floats = (counts + _SHRINKAGE_MOVES * wider) / (total + _SHRINKAGE_MOVES)
    return shares


def _edge(shares: Floats, steps: int) -> float:
    """Return the distance that the sum of `steps` moves exceeds with probability TAIL."""
    signed = np.zeros(_PERIOD)
    signed[0] = shares[0]
    signed[1:_SIZES] = shares[1:] / 2
    signed[-1:-_SIZES:-1] = shares[1:] / 2
    total = np.fft.irfft(np.fft.rfft(signed) ** steps, _PERIOD)
    # P(sum >= distance) for distances from the largest down
    beyond = np.cumsum(total[: _PERIOD // 2][::-1])[::-1]
    inside = np.flatnonzero(np.append(beyond[1:], 0.0) <= TAIL + 1e-9)
    typical = np.searchsorted(np.cumsum(shares[1:]), shares[1:].sum() / 2) + 1
    return float(max(inside[0], typical) * _STEP)
