"""The permutation test of a backtest: the same trades, made in other cards.

Under the null hypothesis the signals do not distinguish the cards that are alike on the day of the
signal: those in the same stratum of price and volatility. So each trade is moved to a card drawn
from the stratum, on the same day. The trades of one card are moved together, to one card that is in
the same stratum on all of their days, as long as there are enough such cards: they are no
independent evidence. Stratified and clustered permutation: Good, "Permutation, Parametric and
Bootstrap Tests of Hypotheses", 3rd ed. 2005, 2 and 9.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.backtest.trades import Bools, Days, Floats, Outcomes, TradeQuotes

_DECAY = 0.94  # of squared daily moves: RiskMetrics Technical Document, 4th ed. 1996
_CALM = 0.002  # smaller deviations are equal
_VOLATILITY_BAND = np.log(1.25)  # of cards alike: a ratio of at most 1.25 either way
_PRICE_BAND = np.log(1.25)
_CANDIDATES = 10  # at least so many cards for the trades of a card to be moved together


@dataclass(frozen=True, slots=True)
class RandomTrades:
    """The same trades, moved to cards drawn at random from those alike.

    `candidates` is the median number of cards, its own included, that a trade is drawn from; the
    test has no power where it is near 1.
    """

    draws: int
    candidates: float
    mean_net: float
    low: float  # 5% and 95% quantiles of the mean of a draw
    high: float
    p_value: float  # probability that a random draw earns at least as much as the signals


def volatility(market: Floats) -> Floats:
    """Return the exponentially weighted deviation of daily log moves, as known each day [d, n].

    A missing quote is no move. It is NaN before a card's first move.
    """
    found = np.full(market.shape, np.nan)
    last = market[0].copy()
    total, weight = np.zeros(market.shape[1]), np.zeros(market.shape[1])
    for day in range(1, len(market)):
        known = np.isfinite(market[day])
        with np.errstate(invalid="ignore", divide="ignore"):
            move = np.log(np.where(known, market[day], last) / last)
        counted = np.isfinite(move)
        total = np.where(counted, _DECAY * total + np.nan_to_num(move) ** 2, total)
        weight = np.where(counted, _DECAY * weight + 1.0, weight)
        last = np.where(known, market[day], last)
        with np.errstate(invalid="ignore"):
            found[day] = np.sqrt(total / weight)
    return found


def random_trades(
    followed: Outcomes, pool: Outcomes, quotes: TradeQuotes, draws: int, seed: int
) -> tuple[RandomTrades, Floats]:
    """Return the result of random draws, and the mean net return that each trade is drawn from [m].

    `pool` are the orders that could have been given, those of `followed` among them. The p-value is
    (1 + draws at least as good) / (1 + draws): Davison and Hinkley, "Bootstrap Methods and their
    Application", 1997, 4.2.
    """
    trades = len(followed.day)
    expected, counts = np.full(trades, np.nan), np.zeros(trades)
    if not trades or draws < 1:
        return RandomTrades(draws, np.nan, np.nan, np.nan, np.nan, np.nan), expected
    alike = _Pool(pool, quotes)
    random = np.random.default_rng(seed)
    totals = np.zeros(draws)
    for rows, candidates in alike.clusters(followed):
        net = alike.net[np.ix_(followed.day[rows], candidates)]
        expected[rows], counts[rows] = net.mean(axis=1), len(candidates)
        totals += net.sum(axis=0)[random.integers(len(candidates), size=draws)]
    means = totals / trades
    low, high = np.quantile(means, [0.05, 0.95])
    as_good = int((means >= followed.net.mean() - 1e-12).sum())
    found = RandomTrades(
        draws,
        float(np.median(counts)),
        float(means.mean()),
        float(low),
        float(high),
        (1 + as_good) / (1 + draws),
    )
    return found, expected


class _Pool:
    """The orders that finish [d, n]: their net returns, and which cards are alike on a day."""

    def __init__(self, pool: Outcomes, quotes: TradeQuotes) -> None:
        shape = quotes.market.shape
        self.net = np.full(shape, np.nan)
        self.net[pool.day, pool.card] = pool.net
        deviation = np.zeros(shape) if quotes.volatility is None else quotes.volatility
        self._log_volatility = np.log(np.maximum(np.nan_to_num(deviation), _CALM))
        self._log_price = np.log(np.where(np.isfinite(self.net), quotes.market, np.nan))

    def clusters(self, followed: Outcomes) -> Iterator[tuple[Days, NDArray[np.intp]]]:
        """Yield the rows of trades that are moved together, and the cards they are drawn from."""
        for card in np.unique(followed.card):
            rows = np.flatnonzero(followed.card == card)
            begin, alike = 0, self._alike(followed.day[rows[0]], card)
            for at in range(1, len(rows)):
                next_alike = self._alike(followed.day[rows[at]], card)
                both = alike & next_alike
                if np.count_nonzero(both) < _CANDIDATES:
                    yield rows[begin:at], np.flatnonzero(alike)
                    begin, both = at, next_alike
                alike = both
            yield rows[begin:], np.flatnonzero(alike)

    def _alike(self, day: int, card: int) -> Bools:
        volatility, price = self._log_volatility[day], self._log_price[day]
        alike: Bools = (np.abs(volatility - volatility[card]) <= _VOLATILITY_BAND) & (
            np.abs(price - price[card]) <= _PRICE_BAND
        )
        return alike
