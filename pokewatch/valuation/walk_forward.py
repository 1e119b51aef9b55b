"""Walking forward: every day valued by a model that had learnt from the days before it only.

Models learn again on fixed calendar days, not on whatever day the data happens to end, so a day's value is the same however
many days follow it: what a book says of the past is what it would have said then.
"""

from collections.abc import Collection, Iterator

import numpy as np

from pokewatch.valuation.features import DayFeatures, stream
from pokewatch.valuation.models import Model, Values, create
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.training_set import (
    TrainingSet,
    card_keys,
    day_rows,
    joined,
    training_date_of,
    training_days_of,
)


def walk(
    panel: Panel, name: str, horizon: int, days: Collection[int], latest: Model | None = None
) -> Iterator[tuple[DayFeatures, Values]]:
    """What is known and what each card is worth on the asked day indices, in order, from one pass over the panel.

    `latest`, where given, values the days from the one it has learnt until; earlier days have models of their own.
    """
    models_of = {day: _learnt_on(panel, day, horizon, latest) for day in sorted(set(days))}
    learnt_from = {
        on: training_days_of(panel, on, horizon) for on in sorted(set(models_of.values()))
    }
    if latest is not None:
        learnt_from.pop(_index(panel, latest), None)
    needed_until = {day: on for on, lesson in learnt_from.items() for day in lesson}
    card_key = card_keys(panel.card_id) if needed_until else np.empty(0, dtype=np.uint32)
    pairs: dict[int, TrainingSet] = {}
    models: dict[int, Model] = {} if latest is None else {_index(panel, latest): latest}
    for features in stream(panel, models_of.keys() | needed_until.keys()):
        day = features.day
        if day in models_of:
            on = models_of[day]
            if on not in models:
                known = joined([pairs[lesson] for lesson in learnt_from[on]])
                models = {
                    **models,
                    on: create(name, horizon).fit_pairs(known, panel.dates[on].item()),
                }
                pairs = {
                    lesson: kept for lesson, kept in pairs.items() if needed_until[lesson] > on
                }
            yield features, models[on].value_features(features)
        if day in needed_until:
            pairs[day] = day_rows(panel, card_key, horizon, features)


def _learnt_on(panel: Panel, day: int, horizon: int, latest: Model | None) -> int:
    if latest is not None and day >= _index(panel, latest):
        return _index(panel, latest)
    return training_date_of(panel, day, horizon)


def _index(panel: Panel, model: Model) -> int:
    if model.learnt_until is None:
        raise ValueError(f"the model {model.name} has not learnt from any prices")
    return int((np.datetime64(model.learnt_until, "D") - panel.dates[0]).astype(np.int64))
