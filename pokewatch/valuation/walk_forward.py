"""Walk-forward valuation: every day is valued by a model trained only on what was known by then.

Models are retrained on fixed calendar days, not on the day the data happens to end. The value of a
day is therefore the same however many days follow it, and a book's past is what it would have
shown at the time.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from pokewatch.valuation.features import DayFeatures, stream_features
from pokewatch.valuation.jumps import Jumps, find_jumps
from pokewatch.valuation.models import Model, Values, create
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.training_set import (
    SampledRows,
    TrainingSet,
    card_keys,
    training_date_of,
    training_days_of,
    training_rows,
    without_errors,
)


@dataclass(frozen=True, slots=True)
class Walk:
    """The days to value by the model `name` at a horizon, in days.

    `latest`, if given, values every day from its training date on; models for earlier days are
    trained on the way.
    """

    name: str
    horizon: int
    days: Collection[int]
    latest: Model | None = None


def walk_forward(
    panel: Panel, name: str, horizon: int, days: Collection[int], latest: Model | None = None
) -> Iterator[tuple[DayFeatures, Values]]:
    """Yield the features and values of each requested day index, in order, in one pass.

    Raise ValueError for an unknown model or a `latest` that has not been trained.
    """
    for _, features, values in walk_together(panel, [Walk(name, horizon, days, latest)]):
        yield features, values


def walk_together(
    panel: Panel, walks: Sequence[Walk], at_once: int = 1
) -> Iterator[tuple[Walk, DayFeatures, Values]]:
    """Yield what `walk_forward` yields of each walk; they share one pass over the panel.

    All walks must have the same last day. On each day, `at_once` walks are computed at a time, the
    first ones first; the memory of each fit is needed so many times.
    """
    open_walks = [_OpenWalk(panel, walk) for walk in walks]
    needed = set[int]().union(*(each.needed for each in open_walks))
    jumps = find_jumps(panel, max(needed, default=-1))
    card_key = card_keys(panel.card_id) if any(each.trains for each in open_walks) else _NO_KEYS
    with ThreadPoolExecutor(at_once) as pool:
        # Memory that a thread frees is not reused by others, so one at a time needs no thread.
        each_of = pool.map if at_once > 1 else map
        for features in stream_features(panel, needed, jumps):
            horizons = {each.walk.horizon for each in open_walks if each.trains_on(features.day)}
            rows = {each: training_rows(panel, card_key, each, features) for each in horizons}
            given = repeat(features), repeat(jumps), repeat(rows)
            found = list(each_of(_OpenWalk.advance, open_walks, *given))
            for each, values in zip(open_walks, found, strict=True):
                if values is not None:
                    yield each.walk, features, values


class _OpenWalk:
    """A walk in progress: its models so far, and the rows that later ones are trained on."""

    def __init__(self, panel: Panel, walk: Walk) -> None:
        self.walk = walk
        self._panel = panel
        latest = None if walk.latest is None else _index(panel, walk.latest)
        self._models = {} if walk.latest is None else {_index(panel, walk.latest): walk.latest}
        self._trained_on = {day: self._training_date(day, latest) for day in sorted(set(walk.days))}
        self._training_days = {
            on: training_days_of(panel, on, walk.horizon)
            for on in sorted(set(self._trained_on.values()) - {latest})
        }
        self._needed_until = {day: on for on, days in self._training_days.items() for day in days}
        self._rows: dict[int, TrainingSet] = {}
        # Rows of a walk that trains one model are needed for no other: a sample of them will do.
        self._only = next(iter(self._training_days)) if len(self._training_days) == 1 else None
        self._sampled = SampledRows()

    @property
    def needed(self) -> Collection[int]:
        """The days whose features are needed."""
        return self._trained_on.keys() | self._needed_until.keys()

    @property
    def trains(self) -> bool:
        return bool(self._needed_until)

    def trains_on(self, day: int) -> bool:
        return day in self._needed_until

    def advance(
        self, features: DayFeatures, jumps: Jumps, rows_by_horizon: Mapping[int, TrainingSet]
    ) -> Values | None:
        """Return the values of the next needed day, None if they are not requested.

        `rows_by_horizon` are the `training_rows` of the day for each horizon that needs them.
        """
        day, values = features.day, None
        if day in self._trained_on:
            values = self._model(self._trained_on[day], jumps).value_features(features)
        if self.trains_on(day):
            horizon = self.walk.horizon
            rows = rows_by_horizon[horizon]
            if self._only is None:
                self._rows[day] = rows
            else:
                self._sampled.add(without_errors(rows, jumps.errors(self._only), horizon))
        return values

    def _model(self, on: int, jumps: Jumps) -> Model:
        """Return the model trained on day index `on`."""
        if on not in self._models:
            training_set, until = self._training_set(on, jumps), self._panel.dates[on].item()
            model = create(self.walk.name, self.walk.horizon)
            self._models[on] = model.fit_training_set(training_set, until)
        return self._models[on]

    def _training_set(self, on: int, jumps: Jumps) -> TrainingSet:
        """Return the rows that the model of day index `on` is trained on; drop those left over."""
        if self._only is not None:
            found, self._sampled = self._sampled.all(), SampledRows()
            return found
        errors, sampled = jumps.errors(on), SampledRows()
        for day in self._training_days[on]:
            sampled.add(without_errors(self._rows[day], errors, self.walk.horizon))
        self._rows = {day: r for day, r in self._rows.items() if self._needed_until[day] > on}
        return sampled.all()

    def _training_date(self, day: int, latest: int | None) -> int:
        if latest is not None and day >= latest:
            return latest
        return training_date_of(self._panel, day, self.walk.horizon)


def _index(panel: Panel, model: Model) -> int:
    if model.trained_until is None:
        raise ValueError(f"the model {model.name} has not been trained")
    return panel.index(model.trained_until)


_NO_KEYS = np.empty(0, dtype=np.uint32)
