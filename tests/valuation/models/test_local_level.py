from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pokewatch.valuation.features import COLUMN, LEVELS
from pokewatch.valuation.models import create
from pokewatch.valuation.models.local_level import DISTANCES, STEPS, _losses
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.training_set import concatenate
from tests.valuation.panels import panel_of


def noisy(
    noise: float, drift: float, days: int = 120, cards: int = 300
) -> tuple[Panel, NDArray[np.float64]]:
    """Quotes around a wandering level [d, n], and the level."""
    rng = np.random.default_rng(5)
    level = 3.0 + np.cumsum(rng.normal(0, drift, (days, cards)), axis=0)
    return panel_of(np.exp(level + rng.normal(0, noise, (days, cards)))), np.exp(level)


def error(values: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    return float(np.abs(np.log(values / truth)).mean())


def test_it_finds_the_level_beneath_noisy_quotes() -> None:
    panel, level = noisy(noise=0.1, drift=0.005)
    fair = create("local_level", 7).fit(panel).value(panel, panel.days - 1).fair
    assert error(fair, level[-1]) < 0.4 * error(panel.market[-1], level[-1])


def test_it_repeats_the_last_quote_of_a_random_walk() -> None:
    panel, _ = noisy(noise=0.0, drift=0.02)
    fair = create("local_level", 7).fit(panel).value(panel, panel.days - 1).fair
    assert error(fair, panel.market[-1]) < 0.004


def test_it_goes_beyond_quotes_that_lag_behind() -> None:
    rng = np.random.default_rng(5)
    moves = rng.normal(0, 0.02, (120, 300))
    for day in range(1, 120):
        moves[day] += 0.8 * moves[day - 1]
    panel = panel_of(np.exp(3.0 + np.cumsum(moves, axis=0)))
    fair = create("local_level", 3).fit(panel.up_to(110)).value(panel, 110).fair
    assert error(fair, panel.market[113]) < 0.95 * error(panel.market[110], panel.market[113])


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_outcomes_give_no_skill(seed: int) -> None:
    rng = np.random.default_rng(seed)
    walk = np.exp(3.0 + np.cumsum(rng.normal(0, 0.02, (60, 200)), axis=0))
    panel = panel_of(walk)
    fair = create("local_level", 7).fit(panel).value(panel, 59).fair
    assert error(fair, panel.market[59]) < 0.01


@given(
    rows=st.integers(0, 40),
    distance=st.floats(-0.9, 0.9),
    target=st.floats(-2.0, 2.0),
    now=st.floats(-0.9, 0.9),
)
def test_with_few_rows_it_stays_between_the_quote_and_the_level(
    rows: int, distance: float, target: float, now: float
) -> None:
    def features(count: int, level: float) -> NDArray[np.float32]:
        values = np.zeros((count, len(COLUMN)), dtype=np.float32)
        for name in LEVELS:
            values[:, COLUMN[name]] = level
        return values

    training_set = replace(
        concatenate([]),
        day=np.zeros(rows, dtype=np.int32),
        card=np.arange(rows, dtype=np.int32),
        key=np.arange(rows, dtype=np.uint32),
        values=features(rows, distance),
        last=np.zeros(rows),
        target=np.full(rows, target),
        renewed=np.ones(rows, dtype=np.bool_),
    )
    model = create("local_level", 7).fit_training_set(training_set, date(2026, 1, 1))
    (move,) = model.move(features(1, now))
    # Features have 32 bits, which puts a distance on an edge into the class beyond or before it.
    own, other = np.searchsorted(DISTANCES, np.abs(np.array([now, distance], dtype=np.float32)))
    if rows < 30 or own != other:
        low, high = sorted((0.0, float(np.float32(now))))
        assert low - 1e-6 <= move <= high + 1e-6


@pytest.mark.parametrize("largest", [0.5, 3.0])  # the move of a step is limited to 1
def test_each_step_has_the_error_of_each_cell(largest: float) -> None:
    rng = np.random.default_rng(6)
    target, distance = rng.normal(0, 0.3, 90), largest * rng.uniform(-1, 1, 90)
    losses = _losses(target, distance, np.array([40, 0, 50]))
    for number, step in enumerate(STEPS):
        error = np.abs(target - np.clip(step * distance, -1, 1)) * (1.002 if step else 1.0)
        expected = [error[:40].sum(), 0.0, error[40:].sum()]
        np.testing.assert_allclose(losses[:, number], expected, rtol=1e-12)
