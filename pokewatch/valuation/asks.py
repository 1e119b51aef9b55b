"""The asks of all cards, day by day, against their quotes."""

from collections import deque

import numpy as np

from pokewatch.valuation.panel import Bools, Floats, Prices

_ASK_DAYS, _USUAL_DAYS = 5.0, 90.0  # of the exponential means of asks and of their distance


class Asks:
    """An ask of each card: against the quote, a week ago, and on the day of the last fresh quote.

    Asks that moved since the quote was renewed show where the next sale may be. So does the gap:
    how far the quote is from the asks less their usual distance from the card's level, since some
    cards are always asked far above their price.
    """

    def __init__(self, prices: Prices | None, cards: int) -> None:
        self.prices = prices
        self.logs: deque[Floats] = deque([np.full(cards, np.nan)], maxlen=8)
        self.at_fresh = np.full(cards, np.nan)
        self.known = np.zeros(cards)  # days with an ask
        self.smoothed = np.zeros(cards)
        self.usual = np.zeros(cards)  # distance from the level

    def advance(self, day: int, fresh: Bools, level: Floats) -> None:
        if self.prices is None:
            return
        if day == 0:
            self.logs.clear()
        self.logs.append(np.log(self.prices[day]))
        self.at_fresh = np.where(fresh, self.logs[-1], self.at_fresh)
        distance = self.logs[-1] - level
        known = np.isfinite(distance)
        self.known += known
        for mean, innovation, days in (
            (self.smoothed, self.logs[-1] - self.smoothed, _ASK_DAYS),
            (self.usual, distance - self.usual, _USUAL_DAYS),
        ):
            np.add(mean, innovation / np.clip(self.known, 1.0, days), out=mean, where=known)

    def features(self, name: str, last: Floats) -> dict[str, Floats]:
        return {
            f"{name}_spread": self.logs[-1] - last,
            f"{name}_move_7": self.logs[-1] - self.logs[0],
            f"{name}_since_fresh": self.logs[-1] - self.at_fresh,
            f"{name}_gap": np.where(self.known, self.smoothed - self.usual - last, np.nan),
        }
