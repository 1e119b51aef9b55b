"""Features of every card by day, computed in one pass; those of a day use only it and the past.

All prices are logarithms. A "move" is a difference of logs; levels, means and asks are relative to
the last quote.
"""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.asks import Asks
from pokewatch.valuation.group_moves import GroupMoves
from pokewatch.valuation.jumps import Indices, Jumps, find_jumps
from pokewatch.valuation.level_filter import LevelFilter
from pokewatch.valuation.panel import Bools, Floats, Panel
from pokewatch.valuation.recent_quotes import RecentQuotes
from pokewatch.valuation.renewals import Renewals
from pokewatch.valuation.short_history import MoveCounter, PooledMoves
from pokewatch.valuation.unconfirmed import WaitingJumps

MIN_QUOTES = 3  # of a card that is not new to its market
WINDOW = 28  # days that liquidity and volatility are measured over
MOMENTA = (1, 3, 7, 14, WINDOW)
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
    "low_since_fresh",
    "mid_since_fresh",
    "low_gap",
    "mid_gap",
    "avg7",
    "avg30",
    "avg7_move_7",
    "avg30_move_7",
    "age",
    "stale_days",
    "fresh_share",
    "renewal_odds",
    "volatility",
    "last_move",
    "group_since_fresh",
    "group_move_7",
    "set_move_7",
    "rarity_move_7",
    "market_move_7",
    "since_release",
    "release_drift",
    "log_price",
)
COLUMN = {name: column for column, name in enumerate(NAMES)}

_ASK_LEVEL = 1  # index in NOISE_RATIOS of the level that asks are compared with
_PRIOR_SCALE = 0.05  # scale of a fresh move before the first one
_PRIOR_SCALE_WEIGHT = 4.0  # fresh moves' worth of weight on the prior
_MIN_SCALE = 0.005


@dataclass(frozen=True, slots=True)
class DayFeatures:
    """The features of all cards [n] as of day index `day`.

    `values` [n, len(NAMES)] are in the order of NAMES. `last` is the log of the last quote, NaN
    before the first; `quoted_days` counts the days with a quote, `since_first` the days since the
    first one (-1 before it), and `since_quote` those since the last one. `before` is the log of the
    last quote before a jump that awaits confirmation, NaN for other cards, and `shares` says how
    far its fair price follows it (see `unconfirmed`). `pooled` are the moves of all cards up to
    that day, and `market_days` [day + 1] are the days on which any card was quoted.
    """

    day: int
    last: Floats
    values: NDArray[np.float32]
    quoted_days: NDArray[np.int64]
    since_first: NDArray[np.int64]
    since_quote: NDArray[np.int64]
    before: Floats
    shares: Floats
    pooled: PooledMoves
    market_days: Bools

    def column(self, name: str) -> NDArray[np.float32]:
        return self.values[:, COLUMN[name]]

    def new_cards(self, days: int, quotes: int = MIN_QUOTES) -> Bools:
        """Return which cards [n] were first quoted fewer than `days` days ago, or have few quotes.

        A card quoted as long as its market is not new: when it was released is not known.
        """
        market_days = np.flatnonzero(self.market_days)
        age = self.day - int(market_days[0]) if len(market_days) else 0
        few = self.quoted_days < min(quotes, len(market_days))
        return few | (self.since_first < min(days, age))


def stream_features(
    panel: Panel, days: Collection[int], jumps: Jumps | None = None
) -> Iterator[DayFeatures]:
    """Yield the features of the requested day indices, in order, from one pass.

    The features of day t are a function of days up to t alone. A quote that turned out to be an
    error counts as a day without one from the day on which that is known. `jumps` are those of the
    panel, if already found. Raise ValueError for a day index outside the panel.
    """
    wanted = set(days)
    if not wanted:
        return
    if min(wanted) < 0 or max(wanted) >= panel.days:
        raise ValueError(
            f"days must be within 0..{panel.days - 1}, got {min(wanted)}..{max(wanted)}"
        )
    state = _State(panel, find_jumps(panel, max(wanted)) if jumps is None else jumps)
    for day in range(max(wanted) + 1):
        state.advance(day)
        if day in wanted:
            yield state.features(day)


class _State:
    def __init__(self, panel: Panel, jumps: Jumps) -> None:
        n = panel.cards
        self.panel = panel
        self.jumps = jumps
        self.saved: dict[int, list[Any]] = {}  # by card: its state before a jump that still waits
        self.waiting = WaitingJumps(n)
        self.groups = GroupMoves(panel)
        self.drift = np.zeros(n)
        self.counter = MoveCounter(n)
        self.market_days = np.zeros(panel.days, dtype=np.bool_)
        self.last = np.full(n, np.nan)
        self.fresh_day = np.full(n, -1)
        self.quoted_day = np.full(n, -1)
        self.since_first = np.full(n, -1)
        self.quoted_days = np.zeros(n, dtype=np.int64)
        self.moves = np.zeros(n)
        self.move_sum = np.zeros(n)
        self.last_move = np.zeros(n)
        self.index_at_fresh = np.zeros(n)
        self.levels = [LevelFilter(ratio, n) for ratio in NOISE_RATIOS]
        self.recent = RecentQuotes(n, WINDOW)
        self.renewals = Renewals(n, WINDOW)
        self.lows = Asks(panel.low, n)
        self.mids = Asks(panel.mid, n)
        # Means of sales keep their last value on a day without one.
        self.averages = {"avg7": panel.avg7, "avg30": panel.avg30}
        self.average_logs: dict[str, deque[Floats]] = {
            name: deque([np.full(n, np.nan)], maxlen=8) for name in self.averages
        }

    def advance(self, day: int) -> None:
        panel = self.panel
        quote, fresh = np.log(panel.market[day]), panel.fresh[day].copy()
        self.counter.advance(day, quote)
        self.market_days[day] = np.isfinite(quote).any()
        jumped, undone = self._advance_jumps(day)
        fresh[undone] &= quote[undone] != self.last[undone]
        move = np.where(fresh, quote - self.last, np.nan)
        known = np.isfinite(move)
        group_move = move.copy()
        group_move[jumped] = np.nan
        self.groups.advance(group_move, np.isfinite(self.last))
        scale = self._scale()
        elapsed = np.where(self.fresh_day >= 0, day - self.fresh_day, 1).astype(np.float64)
        self.drift = self.groups.release_drift(day, move, elapsed)
        for level in self.levels:
            level.advance(quote, fresh, scale, elapsed, self.drift)
        self.move_sum += np.where(known, np.abs(move), 0.0)
        self.moves += known
        self.last_move = np.where(known, move, self.last_move)
        self.quoted_days += np.isfinite(quote)
        self.since_first += self.quoted_days > 0
        self.quoted_day = np.where(np.isfinite(quote), day, self.quoted_day)
        self.fresh_day = np.where(fresh, day, self.fresh_day)
        self.index_at_fresh = np.where(fresh, self.groups.index, self.index_at_fresh)
        self.last = np.where(np.isfinite(quote), quote, self.last)
        self.recent.append(self.last)
        self.renewals.advance(np.isfinite(quote), fresh, known)
        for asks in (self.lows, self.mids):
            asks.advance(day, fresh, self.levels[_ASK_LEVEL].mean)
        for name, prices in self.averages.items():
            if prices is not None:
                logs = np.log(prices[day])
                earlier = self.average_logs[name]
                earlier.append(np.where(np.isfinite(logs), logs, earlier[-1]))

    def features(self, day: int) -> DayFeatures:
        columns = {
            "mean3": np.log(self.recent.mean_price(3)) - self.last,
            "median7": self.recent.median(7) - self.last,
            **{
                name: level.mean - self.last
                for name, level in zip(LEVELS, self.levels, strict=True)
            },
            **{f"momentum_{days}": self.last - self.recent.before(days) for days in MOMENTA},
            "age": day - self.fresh_day.astype(np.float64),
            "stale_days": self._stale(day),
            "fresh_share": self.renewals.fresh_share(),
            "renewal_odds": self.renewals.odds(),
            "volatility": self.recent.volatility(),
            "last_move": self.last_move,
            "group_since_fresh": self.groups.index - self.index_at_fresh,
            **self.groups.features(),
            "since_release": (self.panel.dates[day] - self.panel.released).astype(np.float64),
            "release_drift": self.drift,
            "log_price": self.last,
        }
        columns["since_release"][np.isnat(self.panel.released)] = np.nan
        columns |= self.lows.features("low", self.last) | self.mids.features("mid", self.last)
        for name, logs in self.average_logs.items():
            columns |= {name: logs[-1] - self.last, f"{name}_move_7": logs[-1] - logs[0]}
        # Column by column: both here and in models a column is used at a time.
        values = np.empty((len(NAMES), len(self.last)), dtype=np.float32).T
        for name, column in COLUMN.items():
            values[:, column] = columns[name]
        values[np.isnan(self.last)] = np.nan
        return DayFeatures(
            day,
            self.last.copy(),
            values,
            self.quoted_days.copy(),
            self.since_first.copy(),
            day - self.quoted_day,
            self.waiting.before.copy(),
            self.waiting.shares(),
            self.counter.pooled(),
            self.market_days[: day + 1],
        )

    def _advance_jumps(self, day: int) -> tuple[Indices, Indices]:
        """Return the cards that jump on `day` and those whose jump it shows to have been an error.

        The quotes of the latter are undone.
        """
        ended = self.jumps.select(self.jumps.end == day)
        errors = ended.select(~ended.confirmed)
        for card, start in zip(errors.card.tolist(), errors.start.tolist(), strict=True):
            self._undo(card, self.saved[card], day - start)
        for card in ended.card.tolist():
            del self.saved[card]
        self.waiting.end(ended)
        started = self.jumps.select(self.jumps.start == day)
        for card in started.card.tolist():
            self.saved[card] = [column[card] for column in self._card_columns()]
        self.waiting.start(started)
        self.waiting.count(np.isfinite(self.panel.market[day]))
        return started.card, errors.card

    def _undo(self, card: int, saved: list[Any], days: int) -> None:
        """Restore the state of a card before its quotes of the last `days` days."""
        for column, value in zip(self._card_columns(), saved, strict=True):
            column[card] = value
        self.recent.undo(card, days, self.last[card])
        self.renewals.undo(card, days)

    def _card_columns(self) -> list[NDArray[Any]]:
        return [
            self.last,
            self.fresh_day,
            self.quoted_day,
            self.quoted_days,
            self.moves,
            self.move_sum,
            self.last_move,
            self.index_at_fresh,
            self.lows.at_fresh,
            self.mids.at_fresh,
            *(column for level in self.levels for column in (level.mean, level.variance)),
        ]

    def _scale(self) -> Floats:
        scale = (self.move_sum + _PRIOR_SCALE * _PRIOR_SCALE_WEIGHT) / (
            self.moves + _PRIOR_SCALE_WEIGHT
        )
        return np.maximum(scale, _MIN_SCALE)

    def _stale(self, day: int) -> Floats:
        """Return the age of the quote in days: since the last one, or as reported by the source."""
        since = (day - self.quoted_day).astype(np.float64)
        return since if self.panel.stale is None else np.fmax(since, self.panel.stale[day])
