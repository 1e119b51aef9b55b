"""The fair price of a card whose newest quote awaits confirmation.

Either the new quote or the one before it is right, so the interval contains both. The fair price
follows the new quote as far as such quotes were right in real prices (36 days of TCGplayer, 126 of
Cardmarket): further new quotes confirmed 43 of 49 rises, but 17 of 28 falls, 48 of 86 exchanged
printings, and 1 of 2 rises beyond EXTREME_RISE.
"""

import numpy as np

from pokewatch.valuation.jumps import EXTREME_RISE, Jumps
from pokewatch.valuation.panel import Bools, Floats

SHARE = 0.95  # of the interval's half width that a fair price follows a new quote on its first day


class WaitingJumps:
    """The jumps that await confirmation, by card [n].

    `before` is the log of the last quote before the jump, NaN for cards without one.
    """

    def __init__(self, cards: int) -> None:
        self.before = np.full(cards, np.nan)
        self._first_share = np.zeros(cards)
        self._later_share = np.zeros(cards)
        self._quotes = np.zeros(cards, dtype=np.int64)

    def start(self, jumps: Jumps) -> None:
        rises = jumps.move > EXTREME_RISE
        self.before[jumps.card] = jumps.before
        self._first_share[jumps.card] = np.where(jumps.doubtful | rises, 0.0, SHARE)
        self._later_share[jumps.card] = np.where(rises, 0.0, np.inf)
        self._quotes[jumps.card] = 0

    def end(self, jumps: Jumps) -> None:
        self.before[jumps.card] = np.nan

    def count(self, quoted: Bools) -> None:
        """Count the quotes of a day [n]."""
        self._quotes += quoted

    def shares(self) -> Floats:
        """Return the share of its interval's half width that a fair price follows each jump, [n].

        A repeated quote does not confirm a jump, but errors are seldom repeated: from the second
        quote on, the share is infinite.
        """
        return np.where(self._quotes <= 1, self._first_share, self._later_share)


def over_both_readings(new: Floats, old: Floats, share: Floats) -> Floats:
    """Return the fair price, lower and upper edge [3, k] of cards whose jump awaits confirmation.

    `new` and `old` [3, k] are those of the new quote and of the one before it. The interval
    contains both intervals. The fair price is the new one, but no further from the old one than
    `share` of the half width; that of the two prices where there is no interval yet.
    """
    lower, upper = np.minimum(new[1], old[1]), np.maximum(new[2], old[2])
    width = np.where(np.isnan(upper - lower), np.abs(new[0] - old[0]), upper - lower)
    most = np.multiply(share, width / 2, out=np.full(len(share), np.inf), where=share < np.inf)
    return np.stack((old[0] + np.clip(new[0] - old[0], -most, most), lower, upper))
