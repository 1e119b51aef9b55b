"""Walk-forward valuation: every day is valued by a model trained only on what was known by then.

Models are retrained on fixed calendar days, not on the day the data happens to end. The value of a
day is therefore the same however many days follow it, and a book's past is what it would have
shown at the time.
"""

from collections.abc import Collection, Iterator

import numpy as np

from pokewatch.valuation.features import DayFeatures, stream_features
from pokewatch.valuation.jumps import find_jumps
from pokewatch.valuation.models import Model, Values, create
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.training_set import (
    TrainingSet,
    card_keys,
    concatenate,
    training_date_of,
    training_days_of,
    training_rows,
    without_errors,
)


def walk_forward(
    panel: Panel, name: str, horizon: int, days: Collection[int], latest: Model | None = None
) -> Iterator[tuple[DayFeatures, Values]]:
    """Yield the features and values of each requested day index, in order, in one pass.

    `latest`, if given, values every day from its training date on; models for earlier days are
    trained here. Raise ValueError for an unknown model or a `latest` that has not been trained.
    """
    trained_on = {day: _training_date(panel, day, horizon, latest) for day in sorted(set(days))}
    training_days = {
        on: training_days_of(panel, on, horizon) for on in sorted(set(trained_on.values()))
    }
    if latest is not None:
        training_days.pop(_index(panel, latest), None)
    needed_until = {day: on for on, days_of in training_days.items() for day in days_of}
    card_key = card_keys(panel.card_id) if needed_until else np.empty(0, dtype=np.uint32)
    jumps = find_jumps(panel, max(trained_on, default=-1))
    rows: dict[int, TrainingSet] = {}
    models: dict[int, Model] = {} if latest is None else {_index(panel, latest): latest}
    for features in stream_features(panel, trained_on.keys() | needed_until.keys(), jumps):
        day = features.day
        if day in trained_on:
            on = trained_on[day]
            if on not in models:
                training_set = without_errors(
                    concatenate([rows[each] for each in training_days[on]]),
                    jumps.errors(on),
                    horizon,
                )
                model = create(name, horizon).fit_training_set(training_set, panel.dates[on].item())
                models = {**models, on: model}
                rows = {each: found for each, found in rows.items() if needed_until[each] > on}
            yield features, models[on].value_features(features)
        if day in needed_until:
            rows[day] = training_rows(panel, card_key, horizon, features)


def _training_date(panel: Panel, day: int, horizon: int, latest: Model | None) -> int:
    if latest is not None and day >= _index(panel, latest):
        return _index(panel, latest)
    return training_date_of(panel, day, horizon)


def _index(panel: Panel, model: Model) -> int:
    if model.trained_until is None:
        raise ValueError(f"the model {model.name} has not been trained")
    return int((np.datetime64(model.trained_until, "D") - panel.dates[0]).astype(np.int64))
