"""The price process of the simulated market: a latent fair price, noisy sales and a lagging quote.

On the log scale, for each card and day:

    fair   = walk + release premium; the walk is the sum of moves of the market, of the set, a slow
             drift of the card and rare jumps
    sale   = fair + noise, on days with a sale; the noise is fat-tailed, and larger for thin cards
    quote  = quote + gain x (sale - quote) on those days, else unchanged; the gain is smaller, and
             the average longer, for liquid cards

The *true fair price* is exp(fair), of which a fresh quote is a noisy, lagging observation. The
random numbers of a day are keyed by (seed, day) and the path always starts at the first simulated
day, so that prices do not depend on which days are requested.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pokewatch.market.sources.simulated_catalog import EPOCH, Traits

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

COMMON_SD = 0.0013  # a day, over the whole market
_SET_SD = 0.0005
_WALK_SD = 0.0004  # median card
_DRIFT_SD, _DRIFT_KEPT = 0.00005, 0.93
_JUMP_CHANCE, _JUMP_SD = 0.0004, 0.10
_NOISE_KNOTS = np.log([0.3, 2.5, 10.0, 45.0, 200.0])
# median noise of a sale at those prices, for a card of median liquidity
_NOISE_SD = (0.044, 0.0150, 0.0160, 0.0160, 0.0215)
_NOISE_TAIL = 0.85  # sd of the log of each sale's own noise scale
_BAD_QUOTE_CHANCE, _BAD_QUOTE_SD = 0.002, 0.55
_WEEKLY_DECAY = (0.051, 0.051, 0.033, 0.016, 0.016)  # in the weeks after release
_LOW_RATIO = (0.42, 0.63, 0.78, 0.90, 1.0)  # lowest ask to market at the knots
_MID_RATIO = (1.10, 1.02, 1.05, 1.10, 1.18)
_HIGH_RATIO = (8.0, 2.5, 1.9, 1.76, 1.74)
_RESALE = 0.3  # chance of a sale on the day after one, compared with other days
_ASK_CATCH_UP = 0.08  # share of the gap to the fair price that asks close in a day
_MISSING_CHANCE = 0.002
_HALTED_SHARE, _DELISTED_SHARE = 0.01, 0.005
_FOREVER = 1 << 40

_PATH, _ASKS, _ROWS, _FATES = 1, 2, 3, 4  # streams of random numbers


@dataclass(frozen=True, slots=True)
class Regime:
    """A planted change of one set, or of every card, from `day` until the day before `until`.

    `volatility` multiplies moves and noise by `factor`; `reprice` multiplies the fair price by
    `factor` once, on `day`; `freeze` stops all sales.
    """

    kind: Literal["volatility", "reprice", "freeze"]
    day: date
    until: date | None = None
    factor: float = 1.0
    set_id: str | None = None

    def active(self, day: date) -> bool:
        if self.kind == "reprice":
            return day == self.day
        return self.day <= day and (self.until is None or day < self.until)


@dataclass(frozen=True, slots=True)
class SimulatedQuotes:
    """The rows of one day, [r] each. `card` indexes the cards; NaN is the price of a halted one."""

    card: NDArray[np.int64]
    market: Floats
    low: Floats
    mid: Floats
    high: Floats
    volume: NDArray[np.int32]
    fair: Floats


class MarketPath:
    """The state of the market on one day, with the step to the next."""

    def __init__(self, traits: Traits, seed: int, regimes: tuple[Regime, ...] = ()) -> None:
        self._traits, self._seed = traits, seed
        self._regimes = [(_scope(traits, regime), regime) for regime in regimes]
        self.day = 0
        count = len(traits.log_price)
        fates = self._random(_FATES, 0)
        self._walk_sd = _WALK_SD * np.exp(0.4 * fates.standard_normal(count))
        middling = np.interp(traits.log_price, _NOISE_KNOTS, _NOISE_SD)
        self._noise_sd = middling * np.clip((0.25 / traits.liquidity) ** 0.4, 0.5, 1.8)
        self._gain = np.clip(1.05 - 0.25 * traits.liquidity, 0.6, 1.0)
        self._ratios = _ask_ratios(traits.log_price, fates)
        self._halted, self._delisted = _fates(traits, fates)
        self._release = _release_premium()
        self._walk = traits.log_price.copy()
        self._drift = np.zeros(count)
        self._quote = self._fair()
        self._ask_level = self._quote.copy()
        self._shown = np.exp(self._quote)
        self._volume = np.zeros(count, dtype=np.int32)
        self._sell(self._random(_PATH, 0), np.ones(count, dtype=bool))

    def advance(self) -> None:
        """Advance to the next day."""
        self.day += 1
        random = self._random(_PATH, self.day)
        volatility = self._factors("volatility")
        self._move(random, volatility)
        debut = self._traits.released == self.day
        fair = self._fair()
        if debut.any():
            self._quote = np.where(debut, fair, self._quote)
            self._ask_level = np.where(debut, fair, self._ask_level)
        self._ask_level += _ASK_CATCH_UP * (fair - self._ask_level)
        self._sell(random, debut, volatility)

    def quotes(self) -> SimulatedQuotes:
        """Return the rows that the source publishes on this day."""
        listed = (self._traits.released <= self.day) & (self.day < self._delisted)
        present = self._random(_ROWS, self.day).random(len(listed)) >= _MISSING_CHANCE
        rows = np.flatnonzero(listed & present)
        market = np.where(self._is_halted()[rows], np.nan, self._shown[rows])
        low, mid, high = self._asks(rows)
        return SimulatedQuotes(
            rows, market, low, mid, high, self._volume[rows], np.exp(self._fair()[rows])
        )

    def fair(self) -> Floats:
        """Return the true fair price of every card in USD, NaN before release and once delisted."""
        listed = (self._traits.released <= self.day) & (self.day < self._delisted)
        return np.where(listed, np.exp(self._fair()), np.nan)

    def _random(self, stream: int, day: int) -> np.random.Generator:
        return np.random.Generator(
            np.random.Philox(key=np.array([self._seed, day * 8 + stream], dtype=np.uint64))
        )

    def _fair(self) -> Floats:
        age = np.clip(self.day - self._traits.released, 0, len(self._release) - 1)
        return self._walk + self._release[age]

    def _factors(self, kind: str) -> Floats | float:
        """Return the product of the factors of the active regimes of a kind, for each card."""
        product: Floats | float = 1.0
        for scope, regime in self._active(kind):
            product = product * np.where(scope, regime.factor, 1.0)
        return product

    def _active(self, kind: str) -> list[tuple[Bools, Regime]]:
        today = EPOCH + timedelta(days=self.day)
        return [
            (scope, regime)
            for scope, regime in self._regimes
            if regime.kind == kind and regime.active(today)
        ]

    def _move(self, random: np.random.Generator, volatility: Floats | float) -> None:
        count = len(self._walk)
        common = COMMON_SD * random.standard_normal()
        by_set = _SET_SD * random.standard_normal(int(self._traits.set_index.max()) + 1)
        self._drift *= _DRIFT_KEPT
        self._drift += _DRIFT_SD * random.standard_normal(count, dtype=np.float32)
        own = self._walk_sd * random.standard_normal(count, dtype=np.float32) + self._drift
        jumping = np.flatnonzero(random.random(count, dtype=np.float32) < _JUMP_CHANCE)
        own[jumping] += _JUMP_SD * random.standard_normal(len(jumping))
        self._walk += (own + by_set[self._traits.set_index] + common) * volatility
        self._walk += np.log(self._factors("reprice"))

    def _is_halted(self) -> Bools:
        return (self._halted[0] <= self.day) & (self.day < self._halted[1])

    def _sell(
        self, random: np.random.Generator, debut: Bools, volatility: Floats | float = 1.0
    ) -> None:
        """Sell some cards and update their quotes; a debut always sells at its quote."""
        count = len(self._walk)
        chance = self._traits.liquidity * np.where(self._volume > 0, _RESALE, 1.0)
        selling = (random.random(count, dtype=np.float32) < chance) & ~self._is_halted() | debut
        for scope, _ in self._active("freeze"):
            selling &= ~scope
        sold = np.flatnonzero(selling)
        spread = self._noise_sd[sold] * np.exp(_NOISE_TAIL * random.standard_normal(len(sold)))
        spread = spread * (volatility[sold] if isinstance(volatility, np.ndarray) else volatility)
        sale = self._fair()[sold] + spread * random.standard_normal(len(sold))
        self._quote[sold] += np.where(debut[sold], 1.0, self._gain[sold]) * (
            sale - self._quote[sold]
        )
        bad = random.random(len(sold)) < _BAD_QUOTE_CHANCE
        shown = self._quote[sold] + np.where(
            bad, _BAD_QUOTE_SD * random.standard_normal(len(sold)), 0.0
        )
        self._shown[sold] = _cents(np.exp(shown))
        self._volume[:] = 0
        self._volume[sold] = 1 + random.poisson(9.0 * self._traits.liquidity[sold])

    def _asks(self, rows: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """Return asks, which follow the fair price slowly and are relisted once a week."""
        blocks = (self.day + np.arange(len(self._walk)) % 7) // 7
        first, second = (
            self._random(_ASKS, int(block)).standard_normal((3, len(self._walk)))
            for block in (blocks.min(), blocks.max())
        )
        noise = np.where(blocks == blocks.min(), first, second)[:, rows]
        low, mid, high = (np.exp(self._ask_level[rows] + ratio[rows]) for ratio in self._ratios)
        low = _cents(low * np.exp(0.12 * noise[0]))
        mid = np.maximum(_cents(mid * np.exp(0.08 * noise[1])), low)
        return low, mid, np.maximum(_cents(high * np.exp(0.25 * np.abs(noise[2]))), mid)


def _scope(traits: Traits, regime: Regime) -> Bools:
    scope = (
        np.ones(len(traits.set_id), dtype=bool)
        if regime.set_id is None
        else traits.set_id == regime.set_id
    )
    if not scope.any():
        raise ValueError(f"regime {regime.kind} of {regime.day}: no card in set {regime.set_id!r}")
    return scope


def _cents(price: Floats) -> Floats:
    return np.maximum(np.round(price, 2), 0.01)


def _release_premium() -> Floats:
    """Return the log premium by days since release, falling to 0."""
    daily = np.repeat(-np.log1p(-np.array(_WEEKLY_DECAY)), 7) / 7
    return np.append(np.cumsum(daily[::-1])[::-1], 0.0)


def _ask_ratios(log_price: Floats, random: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Return log ratios of low, mid and high ask to the fair price; high is often absurd."""
    low, mid, high = (
        np.interp(log_price, _NOISE_KNOTS, np.log(ratios))
        for ratios in (_LOW_RATIO, _MID_RATIO, _HIGH_RATIO)
    )
    count = len(log_price)
    low = low + 0.3 * random.standard_normal(count)
    return (
        low,
        mid + 0.15 * random.standard_normal(count),
        high + 0.8 * random.standard_exponential(count),
    )


def _fates(
    traits: Traits, random: np.random.Generator
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]:
    """Return the days when each card is halted (from, until) and delisted; most never are."""
    count = len(traits.log_price)
    starts, lengths, ends = (
        random.integers(60, 1100, count),
        random.integers(20, 90, count),
        random.integers(200, 1100, count),
    )
    unlucky = random.random(count)
    halted = ~traits.steady & (unlucky < _HALTED_SHARE)
    delisted = ~traits.steady & (unlucky > 1 - _DELISTED_SHARE)
    start = np.where(halted, starts, _FOREVER)
    return (start, start + lengths), np.where(
        delisted, np.maximum(ends, traits.released + 100), _FOREVER
    )
