"""Features of every card by day, computed in one pass; those of a day use only it and the past.

All prices are logarithms. A "move" is a difference of logs; levels, means and asks are relative to
the last quote.
"""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.panel import Bools, Floats, Panel
from pokewatch.valuation.short_history import MoveCounter, PooledMoves

WINDOW = 28  # days that liquidity and volatility are measured over
MOMENTA = (1, 3, 7, 14, 28)
# Ratios of daily drift variance to quote variance, one for each local level.
NOISE_RATIOS = (0.0005, 0.01, 0.1, 0.5, 2.0)
LEVELS = tuple(f"level_{ratio:g}" for ratio in NOISE_RATIOS)
NAMES = (
    "mean3",
    "median7",
    *LEVELS,
    *(f"momentum_{days}" for days in MOMENTA),
    "low_spread",
    "mid_spread",
    "low_move_7",
    "mid_move_7",
    "age",
    "stale_days",
    "fresh_share",
    "volatility",
    "last_move",
    "group_since_fresh",
    "group_move_7",
    "set_move_7",
    "rarity_move_7",
    "market_move_7",
    "since_release",
    "log_price",
)
COLUMN = {name: column for column, name in enumerate(NAMES)}

_HUBER = 2.0  # innovations beyond this many scales are clipped
_PRIOR_SCALE = 0.05  # scale of a fresh move before the first one
_PRIOR_SCALE_WEIGHT = 4.0  # fresh moves' worth of weight on the prior
_MIN_SCALE = 0.005
_SHRINKAGE_CARDS = 10.0  # cards' worth of weight on the wider group
_MAX_GROUP_MOVE = 0.25  # log: a single card counts for no more in its group


@dataclass(frozen=True, slots=True)
class DayFeatures:
    """The features of all cards [n] as of day index `day`.

    `values` [n, len(NAMES)] are in the order of NAMES. `last` is the log of the last quote, NaN
    before the first; `quoted_days` counts the days with a quote, and `since_quote` the days since
    the last one. `pooled` are the moves of all cards up to that day.
    """

    day: int
    last: Floats
    values: NDArray[np.float32]
    quoted_days: NDArray[np.int64]
    since_quote: NDArray[np.int64]
    pooled: PooledMoves

    def column(self, name: str) -> NDArray[np.float32]:
        return self.values[:, COLUMN[name]]


def stream_features(panel: Panel, days: Collection[int]) -> Iterator[DayFeatures]:
    """Yield the features of the requested day indices, in order, from one pass.

    The features of day t are a function of days up to t alone. Raise ValueError for a day index
    outside the panel.
    """
    wanted = set(days)
    if not wanted:
        return
    if min(wanted) < 0 or max(wanted) >= panel.days:
        raise ValueError(
            f"days must be within 0..{panel.days - 1}, got {min(wanted)}..{max(wanted)}"
        )
    state = _State(panel)
    for day in range(max(wanted) + 1):
        state.advance(day)
        if day in wanted:
            yield state.features(day)


class _State:
    def __init__(self, panel: Panel) -> None:
        n = panel.cards
        self.panel = panel
        self.groups = _Groups(panel)
        self.counter = MoveCounter(n)
        self.last = np.full(n, np.nan)
        self.fresh_day = np.full(n, -1)
        self.quoted_day = np.full(n, -1)
        self.quoted_days = np.zeros(n, dtype=np.int64)
        self.moves = np.zeros(n)
        self.move_sum = np.zeros(n)
        self.last_move = np.zeros(n)
        self.index_at_fresh = np.zeros(n)
        self.levels = [_LocalLevel(ratio, n) for ratio in NOISE_RATIOS]
        self.lasts: deque[Floats] = deque(maxlen=max(WINDOW, *MOMENTA) + 1)
        self.freshes: deque[Bools] = deque(maxlen=WINDOW)
        self.lows: deque[Floats] = deque(maxlen=8)
        self.mids: deque[Floats] = deque(maxlen=8)

    def advance(self, day: int) -> None:
        panel = self.panel
        self.counter.advance(day, panel.market[day])
        quote, fresh = np.log(panel.market[day]), panel.fresh[day]
        move = np.where(fresh, quote - self.last, np.nan)
        known = np.isfinite(move)
        self.groups.advance(move, np.isfinite(self.last))
        scale = self._scale()
        elapsed = np.where(self.fresh_day >= 0, day - self.fresh_day, 1).astype(np.float64)
        for level in self.levels:
            level.advance(quote, fresh, scale, elapsed)
        self.move_sum += np.where(known, np.abs(move), 0.0)
        self.moves += known
        self.last_move = np.where(known, move, self.last_move)
        self.quoted_days += np.isfinite(quote)
        self.quoted_day = np.where(np.isfinite(quote), day, self.quoted_day)
        self.fresh_day = np.where(fresh, day, self.fresh_day)
        self.index_at_fresh = np.where(fresh, self.groups.index, self.index_at_fresh)
        self.last = np.where(np.isfinite(quote), quote, self.last)
        self.lasts.append(self.last)
        self.freshes.append(fresh)
        for asks, prices in ((self.lows, panel.low), (self.mids, panel.mid)):
            if prices is not None:
                asks.append(np.log(prices[day]))

    def features(self, day: int) -> DayFeatures:
        window = np.stack(self.lasts)
        columns = {
            "mean3": np.log(_mean(np.exp(window[-3:]))) - self.last,
            "median7": _median(window[-7:]) - self.last,
            **{
                name: level.mean - self.last
                for name, level in zip(LEVELS, self.levels, strict=True)
            },
            **{
                f"momentum_{days}": self.last - window[max(-1 - days, -len(window))]
                for days in MOMENTA
            },
            "age": day - self.fresh_day.astype(np.float64),
            "stale_days": self._stale(day),
            "fresh_share": np.stack(self.freshes).mean(axis=0),
            "volatility": _mean(np.abs(np.diff(window[-WINDOW - 1 :], axis=0)))
            if len(window) > 1
            else np.zeros(len(self.last)),
            "last_move": self.last_move,
            "group_since_fresh": self.groups.index - self.index_at_fresh,
            **self.groups.features(),
            "since_release": (self.panel.dates[day] - self.panel.released).astype(np.float64),
            "log_price": self.last,
        }
        columns["since_release"][np.isnat(self.panel.released)] = np.nan
        columns |= self._ask_features("low", self.lows) | self._ask_features("mid", self.mids)
        values = np.empty((len(self.last), len(NAMES)), dtype=np.float32)
        for name, column in COLUMN.items():
            values[:, column] = columns[name]
        values[np.isnan(self.last)] = np.nan
        return DayFeatures(
            day,
            self.last.copy(),
            values,
            self.quoted_days.copy(),
            day - self.quoted_day,
            self.counter.pooled(),
        )

    def _scale(self) -> Floats:
        scale = (self.move_sum + _PRIOR_SCALE * _PRIOR_SCALE_WEIGHT) / (
            self.moves + _PRIOR_SCALE_WEIGHT
        )
        return np.maximum(scale, _MIN_SCALE)

    def _stale(self, day: int) -> Floats:
        """Return the age of the quote in days: since the last one, or as reported by the source."""
        since = (day - self.quoted_day).astype(np.float64)
        return since if self.panel.stale is None else np.fmax(since, self.panel.stale[day])

    def _ask_features(self, name: str, asks: "deque[Floats]") -> dict[str, Floats]:
        if not asks:
            missing = np.full(len(self.last), np.nan)
            return {f"{name}_spread": missing, f"{name}_move_7": missing}
        return {f"{name}_spread": asks[-1] - self.last, f"{name}_move_7": asks[-1] - asks[0]}


class _LocalLevel:
    """A robust local level per card: a Kalman filter on fresh quotes with clipped innovations.

    Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter" (1989), 4.1; the
    clipping is Huber's ("Robust Estimation of a Location Parameter", 1964). Variances are in units
    of the quote's.
    """

    def __init__(self, ratio: float, cards: int) -> None:
        self.ratio = ratio
        self.mean = np.full(cards, np.nan)
        self.variance = np.ones(cards)

    def advance(self, quote: Floats, fresh: Bools, scale: Floats, elapsed: Floats) -> None:
        innovation = quote - self.mean
        predicted = self.variance + self.ratio * elapsed
        with np.errstate(divide="ignore"):
            pull = np.minimum(1.0, _HUBER * scale / np.abs(innovation))
        gain = predicted / (predicted + 1.0) * np.where(np.isfinite(pull), pull, 1.0)
        known = fresh & np.isfinite(self.mean)
        self.mean = np.where(
            known, self.mean + gain * innovation, np.where(fresh, quote, self.mean)
        )
        self.variance = np.where(known, (1.0 - gain) * predicted, self.variance)


class _Groups:
    """Mean fresh moves by set and rarity; a group is shrunk to its set, a set to the market."""

    def __init__(self, panel: Panel) -> None:
        self.set_code = _codes(panel.currency, panel.set_id)
        self.rarity_code = _codes(panel.currency, panel.rarity)
        self.code = _codes(panel.currency, panel.set_id, panel.rarity)
        self.index = np.zeros(panel.cards)
        self.past: deque[tuple[Floats, Floats, Floats, Floats]] = deque(maxlen=7)

    def advance(self, move: Floats, quoted: Bools) -> None:
        known = np.isfinite(move)
        clipped = np.where(known, np.clip(move, -_MAX_GROUP_MOVE, _MAX_GROUP_MOVE), 0.0)
        market = _shrunk_mean(
            np.zeros(len(move), dtype=np.int64), clipped, known, np.zeros(len(move))
        )
        by_set = _shrunk_mean(self.set_code, clipped, known, market)
        by_rarity = _shrunk_mean(self.rarity_code, clipped, known, market)
        by_group = _shrunk_mean(self.code, clipped, known, by_set)
        # Cards without a fresh quote are assumed to move only by the share of those with one.
        share = known.sum() / max(quoted.sum(), 1)
        self.index = self.index + by_group * share
        self.past.append((by_group * share, by_set * share, by_rarity * share, market * share))

    def features(self) -> dict[str, Floats]:
        names = ("group_move_7", "set_move_7", "rarity_move_7", "market_move_7")
        return {name: np.sum([day[i] for day in self.past], axis=0) for i, name in enumerate(names)}


def _shrunk_mean(code: NDArray[np.int64], move: Floats, known: Bools, wider: Floats) -> Floats:
    """Return the mean known move of each card's group [n], without the card itself.

    It is shrunk towards `wider` with the weight of `_SHRINKAGE_CARDS` cards.
    """
    total = np.bincount(code, weights=move)[code] - move
    count = np.bincount(code, weights=known)[code] - known
    mean: Floats = (total + _SHRINKAGE_CARDS * wider) / (count + _SHRINKAGE_CARDS)
    return mean


def _codes(*texts: NDArray[np.str_]) -> NDArray[np.int64]:
    code = np.zeros(len(texts[0]), dtype=np.int64)
    for text in texts:
        values, own = np.unique(text, return_inverse=True)
        code = np.unique(code * len(values) + own, return_inverse=True)[1]
    return code


def _mean(window: Floats) -> Floats:
    """Return the mean of the finite values [w, n] -> [n]; NaN where there are none."""
    known = np.isfinite(window)
    count = known.sum(axis=0)
    mean: Floats = np.where(known, window, 0.0).sum(axis=0) / np.where(count, count, np.nan)
    return mean


def _median(window: Floats) -> Floats:
    """Return the median of the finite values [w, n] -> [n]; NaN where there are none."""
    ordered = np.sort(window, axis=0)
    count = np.isfinite(window).sum(axis=0)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    cards = np.arange(window.shape[1])
    median: Floats = (ordered[low, cards] + ordered[np.minimum(high, len(window) - 1), cards]) / 2
    return median
