"""Quotes far outside what a card's history and its set allow.

A hundredfold price, a penny, or the price of another printing is nearly always an error, but prices
do double. So a quote whose move is many times the card's usual one does not become the card's level
until further fresh quotes confirm it, unless something else does at once: the lowest ask of the
day, or a set that moved as a whole. This is outlier filtering with confirmation, as for tick data
(Brownlees and Gallo, "Financial econometric analysis at ultra-high frequency", CSDA 2006), with
wider limits because the moves of cards have fat tails.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.panel import Bools, Floats

SCALES = 12.0  # times a card's usual fresh move
MIN_MOVE = float(np.log(1.75))  # no smaller move is a jump
MAX_MOVE = float(np.log(5.0))  # every larger one is, however restless the card
MIN_CHANGE = 0.5  # in the card's currency: between pennies every tick is a large move
CONFIRMING = 2  # fresh quotes near a jump that make it the level
_MIN_IN_SET = 5  # quoted cards of a set that show how it moved


@dataclass(frozen=True, slots=True)
class JumpCheck:
    """The cards [n] whose quote awaits confirmation, and those whose jump was confirmed today."""

    unconfirmed: Bools
    confirmed: Bools


class JumpGuard:
    """The unconfirmed quotes of a panel. A day's check depends on days up to it alone."""

    def __init__(self, set_code: NDArray[np.int64]) -> None:
        self._set_code = set_code
        # [n]: log of the newest unconfirmed quote, else NaN
        self.pending = np.full(len(set_code), np.nan)
        self._agreeing = np.zeros(len(set_code), dtype=np.int64)
        self._low = np.full(len(set_code), np.nan)  # log of the lowest ask the day before

    def advance(
        self, quote: Floats, fresh: Bools, last: Floats, scale: Floats, low: Floats | None
    ) -> JumpCheck:
        """Compare a day's log quotes [n] with the last trusted ones.

        `scale` is the usual fresh move of each card, `low` the log of its lowest ask.
        """
        limit = np.clip(SCALES * scale, MIN_MOVE, MAX_MOVE)
        with np.errstate(invalid="ignore", over="ignore"):
            far = fresh & (np.abs(quote - last) > limit)
            far &= np.abs(np.exp(quote) - np.exp(last)) > MIN_CHANGE
            if far.any():
                far &= np.abs(quote - last - self._set_moves(quote - last)) > limit
                if low is not None:
                    far &= ~_supported_by_asks(quote, last, low, self._low)
            agrees = far & (np.abs(quote - self.pending) <= limit)
        self._agreeing = np.where(agrees, self._agreeing + 1, np.where(far, 0, self._agreeing))
        confirmed = agrees & (self._agreeing >= CONFIRMING)
        self.pending = np.where(far & ~confirmed, quote, np.where(fresh, np.nan, self.pending))
        if low is not None:
            self._low = low
        return JumpCheck(np.isfinite(self.pending), confirmed)

    def _set_moves(self, move: Floats) -> Floats:
        """Return the median move of each card's quoted set, 0 where few cards are quoted."""
        known = np.flatnonzero(np.isfinite(move))
        order = known[np.lexsort((move[known], self._set_code[known]))]
        codes, start, count = np.unique(
            self._set_code[order], return_index=True, return_counts=True
        )
        moves = np.zeros(int(self._set_code.max(initial=0)) + 1)
        enough = count >= _MIN_IN_SET
        moves[codes[enough]] = move[order[start[enough] + count[enough] // 2]]
        found: Floats = moves[self._set_code]
        return found


def _supported_by_asks(quote: Floats, last: Floats, low: Floats, low_before: Floats) -> Bools:
    """Return where the lowest ask confirms a rise, having risen to the quote as well.

    A low ask confirms no fall: it may be for a copy in poor condition.
    """
    middle = (quote + last) / 2
    supported: Bools = (quote > last) & (low > middle) & (low_before < middle)
    return supported
