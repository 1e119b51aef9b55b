"""Training sets: the features of a card on a day, with its quote `horizon` days later as target."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.features import COLUMN, NAMES, DayFeatures, stream_features
from pokewatch.valuation.jumps import Jumps, find_jumps
from pokewatch.valuation.panel import Bools, Dates, Floats, Panel, Strings

MAX_TRAINING_DAYS = 96
MAX_ROWS_PER_DAY = 15_000
MAX_ROWS = 240_000
# Days with a known outcome before intervals are calibrated on them, and before models are trained
# on the days of a changed market alone.
MIN_TRAINING_DAYS = 3
# (days of history, days between trainings)
_RETRAINING_PERIODS = ((196, 28), (42, 7), (0, 1))


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """One row for each card and day, [m] in all.

    `day` and `card` are indices into the panel, and `key` is a stable hash of the card id. `values`
    [m, F] are the features as of `day`, `last` the log of that day's quote, and `target` the log
    move from it to the quote at day + horizon. `renewed` is True where that quote is newer than
    `day`, and `new` where the card was new to the market on `day`.
    """

    day: NDArray[np.int32]
    card: NDArray[np.int32]
    key: NDArray[np.uint32]
    values: NDArray[np.float32]
    last: Floats
    target: Floats
    renewed: Bools
    new: Bools

    def __len__(self) -> int:
        return len(self.day)

    def column(self, name: str) -> NDArray[np.float32]:
        return self.values[:, COLUMN[name]]

    def select(self, rows: NDArray[np.generic]) -> "TrainingSet":
        """Return the rows of an index or mask [m]."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return TrainingSet(
            **{field.name: getattr(self, field.name).take(index, axis=0) for field in fields(self)}
        )


def training_days(dates: Dates, horizon: int) -> list[int]:
    """Return the indices of the days that a model trained on the last of `dates` learns from.

    These are the days whose quote `horizon` days later is known; where there are more than
    MAX_TRAINING_DAYS, every second, fourth, ... of them. They are counted on the calendar, so the
    choice does not depend on where `dates` ends. [] if there are none.
    """
    known = max(len(dates) - horizon, 0)
    step = 1
    while known > MAX_TRAINING_DAYS * step:
        step *= 2
    calendar = dates[:known].astype("datetime64[D]").astype(np.int64)
    return np.flatnonzero(calendar % step == 0).tolist()


def training_date(dates: Dates) -> int:
    """Return the index of the day on which the model that values the last of `dates` is trained.

    While history is short, it is that day itself; later, one day a week, then one in four weeks.
    Periods are counted on the calendar, so a day's model is the same however many days follow it.
    """
    newest = len(dates) - 1
    since, period = next(
        (since, period) for since, period in _RETRAINING_PERIODS if newest >= since
    )
    return max(
        newest - int(dates[newest].astype("datetime64[D]").astype(np.int64)) % period, since - 1
    )


def training_date_of(panel: Panel, day: int, horizon: int) -> int:
    """Return the `training_date` of day index `day`; after a market change, history restarts."""
    start = _history_start(panel, day, horizon)
    return start + training_date(panel.dates[start : day + 1])


def training_days_of(panel: Panel, on: int, horizon: int) -> list[int]:
    """Return the `training_days` of a model trained on day index `on`.

    After a market change, none of them is from before it.
    """
    start = _history_start(panel, on, horizon)
    return [start + day for day in training_days(panel.dates[start : on + 1], horizon)]


def settled(panel: Panel, day: int, horizon: int) -> bool:
    """Return whether a value of day index `day` has its outcome in the market of its training days.

    False where the market changes between the value and its outcome, or has changed before and
    there are fewer than MIN_TRAINING_DAYS since.
    """
    return (
        panel.change <= 0
        or day + horizon < panel.change
        or _history_start(panel, training_date_of(panel, day, horizon), horizon) > 0
    )


def _history_start(panel: Panel, day: int, horizon: int) -> int:
    """Return the first day to train on, as of `day`: the panel's first, or that of the change."""
    return panel.change if 0 < panel.change <= day + 1 - horizon - MIN_TRAINING_DAYS else 0


def training_set_of(
    panel: Panel, horizon: int, until: int | None = None
) -> tuple[TrainingSet, date]:
    """Return the sampled training set of a model trained on day index `until`, and that day.

    By default, it is the `training_date` of the panel's last day. The set is that of all models of
    the horizon.
    """
    on = training_date_of(panel, panel.days - 1, horizon) if until is None else until
    found = build_training_set(panel, horizon, training_days_of(panel, on, horizon), on)
    return found, panel.dates[on].item()


def build_training_set(
    panel: Panel, horizon: int, days: Sequence[int], until: int | None = None
) -> TrainingSet:
    """Return a `sample` of the `training_rows` of the given day indices, from one pass.

    Rows of quotes that are known on day index `until` to be errors are left out; by default, it is
    the day of the last outcome. Raise IndexError for a day whose outcome is beyond the panel.
    """
    keys = card_keys(panel.card_id)
    known_on = max(days, default=-1) + horizon if until is None else until
    jumps = find_jumps(panel.up_to(known_on))
    errors, found = jumps.errors(known_on), SampledRows()
    for features in stream_features(panel, days, jumps):
        found.add(without_errors(training_rows(panel, keys, horizon, features), errors, horizon))
    return found.all()


def without_errors(training_set: TrainingSet, errors: Jumps, horizon: int) -> TrainingSet:
    """Return the rows whose quote and outcome are both outside the `errors`."""
    wrong = np.zeros(len(training_set), dtype=np.bool_)
    by_card = errors.select(np.argsort(errors.card, kind="stable"))
    first = np.searchsorted(by_card.card, training_set.card, side="left")
    count = np.searchsorted(by_card.card, training_set.card, side="right") - first
    for number in range(int(count.max(initial=0))):
        rows = np.flatnonzero(count > number)
        start, end = (days[first[rows] + number] for days in (by_card.start, by_card.end))
        for day in (training_set.day[rows], training_set.day[rows] + horizon):
            wrong[rows] |= (day >= start) & (day < end)
    return training_set.select(~wrong) if wrong.any() else training_set


def training_rows(
    panel: Panel,
    card_key: NDArray[np.uint32],
    horizon: int,
    features: DayFeatures,
    max_rows: int = MAX_ROWS_PER_DAY,
) -> TrainingSet:
    """Return the rows of one day: the cards quoted on it and `horizon` days later.

    `card_key` is `card_keys` of the panel's cards. Where there are more than `max_rows`, those with
    the smallest hash of card and day are selected, so the selection depends neither on later days
    nor on other cards.
    """
    day = features.day
    later = panel.market[day + horizon]
    rows = np.flatnonzero(np.isfinite(panel.market[day]) & np.isfinite(later))
    keys = card_key[rows]
    if len(rows) > max_rows:
        calendar = np.uint32(panel.dates[day].astype("datetime64[D]").astype(np.int64))
        selected = _smallest(mix_bits(keys ^ calendar), max_rows)
        rows, keys = rows[selected], keys[selected]
    return TrainingSet(
        day=np.full(len(rows), day, dtype=np.int32),
        card=rows.astype(np.int32),
        key=keys,
        values=features.values[rows],
        last=features.last[rows],
        target=np.log(later[rows]) - features.last[rows],
        renewed=np.any(panel.fresh[day + 1 : day + horizon + 1, rows], axis=0),
        new=features.new_cards(horizon)[rows],
    )


def concatenate(parts: Sequence[TrainingSet]) -> TrainingSet:
    """Return all rows of the parts, in order."""
    parts = parts or [_EMPTY]
    return TrainingSet(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(TrainingSet)
        }
    )


def sample(training_set: TrainingSet, max_rows: int = MAX_ROWS) -> TrainingSet:
    """Return at most `max_rows` rows, selected by a hash of card and day: always the same ones."""
    if len(training_set) <= max_rows:
        return training_set
    order = mix_bits(training_set.key + training_set.day.astype(np.uint32))
    return training_set.select(_smallest(order, max_rows))


class SampledRows:
    """The `sample` of the rows of several days, without holding all of them."""

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self._max_rows = max_rows
        self._parts: list[TrainingSet] = []

    def add(self, rows: TrainingSet) -> None:
        """Add the rows of the next day."""
        self._parts.append(rows)
        if sum(map(len, self._parts)) > 2 * self._max_rows:
            self._parts = [self.all()]

    def all(self) -> TrainingSet:
        """Return the sample of the rows added so far."""
        return sample(concatenate(self._parts), self._max_rows)


def _smallest(keys: NDArray[np.uint32], count: int) -> NDArray[np.int64]:
    """Return the indices of the `count` smallest keys, ascending; of equal keys, the first."""
    largest = np.partition(keys, count - 1)[count - 1]
    chosen = keys < largest
    equal = np.flatnonzero(keys == largest)
    chosen[equal[: count - np.count_nonzero(chosen)]] = True
    return np.flatnonzero(chosen)


def card_keys(card_id: Strings) -> NDArray[np.uint32]:
    """Return a stable hash of each card id [n]."""
    return mix_bits(
        np.fromiter(
            (zlib.crc32(card.encode()) for card in card_id.tolist()),
            dtype=np.uint32,
            count=len(card_id),
        )
    )


def mix_bits(keys: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return each key with every bit spread over all others (the finalizer of MurmurHash3).

    The CRCs of similar texts share most of their bits, so they are no random order by themselves.
    """
    keys = (keys ^ (keys >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    keys = (keys ^ (keys >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return keys ^ (keys >> np.uint32(16))


_EMPTY = TrainingSet(
    day=np.empty(0, dtype=np.int32),
    card=np.empty(0, dtype=np.int32),
    key=np.empty(0, dtype=np.uint32),
    values=np.empty((0, len(NAMES)), dtype=np.float32),
    last=np.empty(0),
    target=np.empty(0),
    renewed=np.empty(0, dtype=np.bool_),
    new=np.empty(0, dtype=np.bool_),
)
