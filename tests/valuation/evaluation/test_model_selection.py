from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from pokewatch.settings import GateSettings
from pokewatch.valuation.evaluation.model_selection import (
    compare,
    excess_error,
    not_inferior,
    select_model,
)
from pokewatch.valuation.evaluation.runner import Evaluation, evaluate
from tests.valuation.evaluation.test_comparison import errors_of
from tests.valuation.panels import panel_of

CARDS = 30
SIMPLE = ("last", "rolling_mean", "median7", "local_level")


def evaluation_of(
    model: str, error: ArrayLike, origins: int = 12, settled: Sequence[bool] = ()
) -> Evaluation:
    """Return an evaluation with errors [origins, CARDS]; those of the last price are 1.0."""
    table = np.broadcast_to(np.asarray(error, dtype=np.float64), (origins, CARDS))
    sums = {
        "error": table.sum(axis=1),
        "error_last": np.full(origins, float(CARDS)),
        "quoted": np.full(origins, float(CARDS)),
    }
    return Evaluation(
        model=model,
        horizon=7,
        origins=tuple(date(2026, 1, 1) + timedelta(days=7 * number) for number in range(origins)),
        settled=tuple(settled) or (True,) * origins,
        scores={"rmae_last_ci": None},
        fresh={},
        groups=(),
        reliability=(),
        sums=sums,
        errors=errors_of(table),
    )


def noise(seed: int, scale: float = 0.1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, (12, CARDS))


def test_the_simplest_of_equals_is_chosen() -> None:
    found = select_model(
        [
            evaluation_of("local_level", 1 + noise(0)),
            evaluation_of("median7", 1 + noise(1)),
            evaluation_of("rolling_mean", 1 + noise(2)),
            evaluation_of("last", np.ones((12, CARDS))),
        ]
    )
    assert found.model == "last"
    assert len(found.reasons) == 3
    assert "local_level is more complex and does not beat last" in found.reasons[2]


def test_a_model_that_is_beaten_is_not_chosen() -> None:
    hard = np.linspace(0.5, 1.5, 12)[:, None]
    found = select_model(
        [
            evaluation_of("rolling_mean", hard + 0.1 + noise(0, 0.01)),
            evaluation_of("median7", hard + 0.2 + noise(1, 0.01)),
            evaluation_of("local_level", hard),
        ]
    )
    assert found.model == "local_level"
    assert found.reasons[0].startswith(
        "local_level beats rolling_mean: the excess error of rolling_mean is +0.09"
    )
    assert found.reasons[0].endswith("error, p < 0.0001 after Holm's correction")
    assert found.reasons[1].startswith("local_level beats median7")


def test_a_stronger_model_must_beat_the_simple_one_beyond_chance() -> None:
    simple = evaluation_of("rolling_mean", np.ones((12, CARDS)))
    strong = evaluation_of("local_level", 0.995 + noise(3, 0.2))
    found = select_model([simple, strong])
    assert found.model == "rolling_mean"
    assert "more complex and does not beat" in found.reasons[0]


def test_more_models_need_a_clearer_difference() -> None:
    """Alone the difference is significant; as one of ten comparisons it is not."""
    simple = evaluation_of("last", np.ones((12, CARDS)))
    strong = evaluation_of("boosted", 0.975 + noise(8, 0.22))
    (alone,) = compare([simple, strong])
    assert alone.beaten is simple
    others = [evaluation_of(name, 1 + noise(9 + at, 0.2)) for at, name in enumerate(SIMPLE[1:])]
    among = compare([simple, *others, strong])
    assert [each.beaten for each in among] == [None] * 10
    assert alone.p_value < 0.05 < among[3].p_value
    assert select_model([simple, *others, strong]).model == "last"


def test_a_simple_model_that_may_be_inferior_to_the_champion_does_not_replace_it() -> None:
    simple = evaluation_of("last", np.ones((12, CARDS)))
    strong = evaluation_of("local_level", 0.995 + noise(3, 0.2))
    assert select_model([simple, strong]).model == "last"
    found = select_model([simple, strong], champion="local_level")
    assert found.model == "local_level"
    assert "last may be inferior to the champion" in found.reasons[0]
    wide = GateSettings(gate_champion_margin=0.1)
    assert select_model([simple, strong], "local_level", wide).model == "last"
    assert select_model([simple, strong], champion="boosted").model == "last", "not evaluated"


def test_the_champion_is_not_inferior_to_itself() -> None:
    found = evaluation_of("median7", 1 + noise(0))
    assert not_inferior(found, found, 0.0)


def test_days_that_no_model_could_foresee_are_left_out() -> None:
    shaken = np.ones((12, CARDS))
    shaken[:4] = 3.0
    settled = [False] * 4 + [True] * 8
    one = evaluation_of("last", np.ones((12, CARDS)), settled=settled)
    other = evaluation_of("median7", shaken, settled=settled)
    found = excess_error(other, one)
    assert found is not None
    assert (found.value, found.windows) == (0.0, 8.0)
    never = evaluation_of("median7", shaken, settled=[False] * 12)
    every = excess_error(never, evaluation_of("last", 1.0, settled=[False] * 12))
    assert every is not None
    assert every.value > 0.5


def test_only_the_same_card_days_can_be_compared() -> None:
    one = evaluation_of("rolling_mean", 1.0)
    with pytest.raises(ValueError, match="same days"):
        excess_error(one, evaluation_of("median7", 1.0, origins=11))
    rows = evaluation_of("median7", np.ones((12, CARDS))).errors
    fewer = type(rows)(rows.origin[1:], rows.card[1:], rows.error[1:], rows.error_last[1:])
    other = evaluation_of("median7", 1.0)
    object.__setattr__(other, "errors", fewer)
    with pytest.raises(ValueError, match="same card-days"):
        excess_error(one, other)
    with pytest.raises(ValueError, match="no evaluations"):
        select_model([])


def random_walks(seed: int, days: int = 126, cards: int = 60) -> NDArray[np.float64]:
    """Return prices [days, cards] whose moves are independent, of cards of unequal volatility."""
    rng = np.random.default_rng(seed)
    moves = rng.standard_t(4, (days, cards)) * rng.lognormal(-4, 0.7, cards)
    moves[rng.random((days, cards)) < 0.5] = 0.0
    prices: NDArray[np.float64] = np.exp(rng.normal(2.5, 1.0, cards) + moves.cumsum(axis=0))
    return prices


def shipped(seed: int, names: Sequence[str] = SIMPLE) -> tuple[str, str]:
    """Return the model selected on random walks, and what its evaluation shows."""
    found = evaluate(panel_of(random_walks(seed)), names, 7)
    model = select_model(found).model
    return model, next(each.skill for each in found if each.model == model)


@pytest.mark.slow
def test_on_random_walks_the_last_price_ships_without_a_claim() -> None:
    found = [shipped(seed) for seed in range(6)]
    assert found == [("last", "no better than the last price")] * 6


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_on_95_of_100_random_walks_the_last_price_ships_without_a_claim() -> None:
    found = [shipped(seed, (*SIMPLE, "boosted")) for seed in range(100)]
    assert found.count(("last", "no better than the last price")) >= 95
