"""How often the quotes of cards are renewed: in a window of days, and by odds of a posterior."""

from collections import deque

import numpy as np

from pokewatch.valuation.panel import Bools, Floats

# Beta distribution of the share of days that renew a quote, before the first day
_PRIOR_RENEWED, _PRIOR_SAME = 0.5, 5.0


class Renewals:
    """The renewals of n cards in the last `window` days; `advance` adds a day."""

    def __init__(self, cards: int, window: int) -> None:
        self._window = window
        self._days = 0
        self._first_day = np.full(cards, -1)
        self._fresh = _CountedDays(cards, window)
        self._renewed = _CountedDays(cards, window)

    def advance(self, quoted: Bools, fresh: Bools, renewed: Bools) -> None:
        """Add a day: which cards [n] are quoted, have a fresh quote, and had one before it."""
        self._first_day = np.where((self._first_day < 0) & quoted, self._days, self._first_day)
        self._fresh.append(fresh)
        self._renewed.append(renewed)
        self._days += 1

    def undo(self, card: int, days: int) -> None:
        """Take back the fresh quotes of a card on the last `days` days."""
        self._fresh.undo(card, days)
        self._renewed.undo(card, days)

    def fresh_share(self) -> Floats:
        """Return the share [n] of the days with a fresh quote; a card's first quote is one."""
        share: Floats = self._fresh.count / min(self._days, self._window)
        return share

    def odds(self) -> Floats:
        """Return the log odds [n] that a day renews the quote, by the days since the first one.

        Unlike the share, they mean the same after a week of history as after four: a card that has
        not been renewed yet is less and less likely to be.
        """
        renewed = self._renewed.count
        since = np.where(self._first_day >= 0, self._days - 1 - self._first_day, 0)
        same = np.minimum(since, self._window) - renewed
        odds: Floats = np.log((renewed + _PRIOR_RENEWED) / (same + _PRIOR_SAME))
        return odds


class _CountedDays:
    """On how many of the last `window` days something happened to each of n cards: `count` [n]."""

    def __init__(self, cards: int, window: int) -> None:
        self.count = np.zeros(cards, dtype=np.int64)
        self._window = window
        self._days: deque[Bools] = deque()

    def append(self, happened: Bools) -> None:
        """Add a day, and drop the first one of a full window."""
        if len(self._days) == self._window:
            self.count -= self._days.popleft()
        self._days.append(happened)
        self.count += happened

    def undo(self, card: int, days: int) -> None:
        """Take back what happened to a card on the last `days` days."""
        for back in range(1, min(days, len(self._days)) + 1):
            self.count[card] -= self._days[-back][card]
            self._days[-back][card] = False
