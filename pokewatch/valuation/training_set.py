"""Pairs to learn from: what was known on a day, and the quote `horizon` days later."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.features import COLUMN, NAMES, DayFeatures, stream
from pokewatch.valuation.panel import Bools, Dates, Floats, Panel, Strings

MOST_DAYS = 96
MOST_ROWS_A_DAY = 15_000
MOST_ROWS = 240_000
LEAST_TRAINING_DAYS = (
    3  # days of a changed market whose outcome is known, before learning starts anew from there
)
_LEARNING_PERIODS = (
    (196, 28),
    (42, 7),
    (0, 1),
)  # (days of history, days a model is used for before it learns again)


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """[m] rows: `values` [m, F] as of `day`, `last` the log of the quote that day, `target` the log move to the quote at day + h.

    `renewed` tells whether that quote is newer than `day`; `key` is a stable hash of the card.
    """

    day: NDArray[np.int32]
    card: NDArray[np.int32]
    key: NDArray[np.uint32]
    values: NDArray[np.float32]
    last: Floats
    target: Floats
    renewed: Bools

    def __len__(self) -> int:
        return len(self.day)

    def column(self, name: str) -> NDArray[np.float32]:
        return self.values[:, COLUMN[name]]

    def select(self, rows: NDArray[np.generic]) -> "TrainingSet":
        return TrainingSet(
            **{field.name: getattr(self, field.name)[rows] for field in fields(self)}
        )


def training_days(dates: Dates, horizon: int, most: int = MOST_DAYS) -> list[int]:
    """Indices of the days to learn from on the last of `dates`: those whose quote `horizon` days later is known, every
    second, fourth, ... where there are more than `most`, counted on the calendar so that days do not depend on where
    `dates` ends. [] if there are none."""
    known = max(len(dates) - horizon, 0)
    step = 1
    while known > most * step:
        step *= 2
    calendar = dates[:known].astype("datetime64[D]").astype(np.int64)
    return np.flatnonzero(calendar % step == 0).tolist()


def training_date(dates: Dates) -> int:
    """Index of the day whose model values the last of `dates`: that day itself while history is short, then the last of a
    week, later of four weeks, counted on the calendar. So a day's model is the same however many days follow it."""
    newest = len(dates) - 1
    since, period = next((since, period) for since, period in _LEARNING_PERIODS if newest >= since)
    return max(
        newest - int(dates[newest].astype("datetime64[D]").astype(np.int64)) % period, since - 1
    )


def training_date_of(panel: Panel, day: int, horizon: int) -> int:
    """The `training_date` of day index `day`; where the market has changed, history counts from there."""
    start = _start(panel, day, horizon)
    return start + training_date(panel.dates[start : day + 1])


def training_days_of(panel: Panel, on: int, horizon: int) -> list[int]:
    """The `training_days` of a model that learns on day index `on`; none from before the market has changed."""
    start = _start(panel, on, horizon)
    return [start + day for day in training_days(panel.dates[start : on + 1], horizon)]


def settled(panel: Panel, day: int, horizon: int) -> bool:
    """Whether a value given on day index `day` has its outcome in the market its model had learnt of: not where the market changes
    before the outcome, or has changed and there were too few lessons of it."""
    return (
        panel.change <= 0
        or day + horizon < panel.change
        or _start(panel, training_date_of(panel, day, horizon), horizon) > 0
    )


def _start(panel: Panel, day: int, horizon: int) -> int:
    """Where history begins for what is learnt on `day`: the panel's first day, or the change, once there are lessons since."""
    return panel.change if 0 < panel.change <= day + 1 - horizon - LEAST_TRAINING_DAYS else 0


def collect(panel: Panel, horizon: int, days: Sequence[int]) -> TrainingSet:
    """The pairs of the asked days, from one pass over the panel; see `day_rows`."""
    keys = card_keys(panel.card_id)
    return joined([day_rows(panel, keys, horizon, features) for features in stream(panel, days)])


def day_rows(
    panel: Panel,
    card_key: NDArray[np.uint32],
    horizon: int,
    features: DayFeatures,
    most: int = MOST_ROWS_A_DAY,
) -> TrainingSet:
    """The pairs of one day: cards quoted on it and `horizon` days later. `card_key` is `card_keys` of the panel's cards.

    Where there are more than `most`, those with the smallest hash of card and day are kept, so that which they are does not
    depend on later days or on other cards.
    """
    day = features.day
    later = panel.market[day + horizon]
    rows = np.flatnonzero(np.isfinite(panel.market[day]) & np.isfinite(later))
    keys = card_key[rows]
    if len(rows) > most:
        calendar = np.uint32(panel.dates[day].astype("datetime64[D]").astype(np.int64))
        kept = np.sort(np.argsort(mixed(keys ^ calendar), kind="stable")[:most])
        rows, keys = rows[kept], keys[kept]
    return TrainingSet(
        day=np.full(len(rows), day, dtype=np.int32),
        card=rows.astype(np.int32),
        key=keys,
        values=features.values[rows],
        last=features.last[rows],
        target=np.log(later[rows]) - features.last[rows],
        renewed=np.any(panel.fresh[day + 1 : day + horizon + 1, rows], axis=0),
    )


def joined(parts: Sequence[TrainingSet]) -> TrainingSet:
    """All rows of the parts, in order."""
    parts = parts or [_NOTHING]
    return TrainingSet(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(TrainingSet)
        }
    )


def sampled(pairs: TrainingSet, most: int = MOST_ROWS) -> TrainingSet:
    """At most `most` of the pairs, whichever cards and days come first in a shuffle that is always the same."""
    if len(pairs) <= most:
        return pairs
    turn = mixed(pairs.key + pairs.day.astype(np.uint32))
    return pairs.select(np.sort(np.argsort(turn, kind="stable")[:most]))


def card_keys(card_id: Strings) -> NDArray[np.uint32]:
    """A stable hash of each card_id [n]."""
    return mixed(
        np.fromiter(
            (zlib.crc32(card.encode()) for card in card_id.tolist()),
            dtype=np.uint32,
            count=len(card_id),
        )
    )


def mixed(keys: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Every bit of a key spread over all: a CRC's single bits are nearly the same for like texts (MurmurHash3's finalizer)."""
    keys = (keys ^ (keys >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    keys = (keys ^ (keys >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return keys ^ (keys >> np.uint32(16))


_NOTHING = TrainingSet(
    day=np.empty(0, dtype=np.int32),
    card=np.empty(0, dtype=np.int32),
    key=np.empty(0, dtype=np.uint32),
    values=np.empty((0, len(NAMES)), dtype=np.float32),
    last=np.empty(0),
    target=np.empty(0),
    renewed=np.empty(0, dtype=np.bool_),
)
