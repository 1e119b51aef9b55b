from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import ArrayLike

from pokewatch.valuation.evaluation.model_selection import beats, difference, select_model
from pokewatch.valuation.evaluation.runner import Evaluation


def evaluation_of(model: str, error: ArrayLike, origins: int = 12) -> Evaluation:
    """Return an evaluation with the given errors by origin; those of the last price are 1.0."""
    sums = {
        "error": np.broadcast_to(np.asarray(error, dtype=np.float64), origins),
        "error_last": np.ones(origins),
        "quoted": np.ones(origins),
    }
    days = tuple(date(2026, 1, 1) + timedelta(days=7 * number) for number in range(origins))
    return Evaluation(model, 7, days, (True,) * origins, 1, {}, {}, (), (), sums)


NOISE = np.random.default_rng(0).normal(0, 0.1, 12)


def test_the_simplest_of_equals_is_chosen() -> None:
    found = select_model(
        [
            evaluation_of("local_level", 1 + NOISE),
            evaluation_of("median7", 1 - NOISE),
            evaluation_of("rolling_mean", np.ones(12)),
        ]
    )
    assert found.model == "rolling_mean"
    assert len(found.reasons) == 2


def test_a_model_that_is_beaten_is_not_chosen() -> None:
    hard = np.linspace(0.5, 1.5, 12)
    found = select_model(
        [
            evaluation_of("rolling_mean", hard + 0.1),
            evaluation_of("median7", hard + 0.2),
            evaluation_of("local_level", hard),
        ]
    )
    assert found.model == "local_level"
    assert found.reasons == (
        "local_level beats rolling_mean: the excess error of rolling_mean is "
        "+0.1000 [+0.1000, +0.1000] of the last price's error",
        "local_level beats median7: the excess error of median7 is "
        "+0.2000 [+0.2000, +0.2000] of the last price's error",
    )


def test_a_stronger_model_must_beat_the_simple_one_beyond_chance() -> None:
    simple, strong = (
        evaluation_of("rolling_mean", np.ones(12)),
        evaluation_of("local_level", 0.99 + NOISE),
    )
    assert not beats(strong, simple)
    assert select_model([simple, strong]).model == "rolling_mean"
    assert "more complex and does not beat" in select_model([simple, strong]).reasons[0]


def test_only_the_same_card_days_can_be_compared() -> None:
    one = evaluation_of("rolling_mean", np.ones(12))
    with pytest.raises(ValueError, match="same days"):
        difference(one, evaluation_of("median7", np.ones(11), origins=11))
    other = evaluation_of("median7", np.ones(12))
    with pytest.raises(ValueError, match="same card-days"):
        difference(one, replace(other, sums=other.sums | {"quoted": np.full(12, 2.0)}))
    with pytest.raises(ValueError, match="no evaluations"):
        select_model([])
