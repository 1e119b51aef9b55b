import json

import numpy as np
import pytest
from numpy.typing import NDArray

from pokewatch.valuation.error_model import error_terms, sigmoid
from pokewatch.valuation.features import COLUMN
from pokewatch.valuation.unchanged_quotes import PRIOR_UNITS, UnchangedQuotes, _offsets
from tests.valuation.test_intervals import some_features

Chances = NDArray[np.float64]
Outcomes = NDArray[np.bool_]


def chances_of(values: NDArray[np.float32]) -> Chances:
    """Return chances that fall with liquidity, and are halved in one price class."""
    chance = 0.9 - 0.8 * values[:, COLUMN["fresh_share"]].astype(np.float64)
    price = np.exp(values[:, COLUMN["log_price"]])
    return np.where((price >= 5) & (price < 20), chance / 2, chance)


def outcomes_of(values: NDArray[np.float32], seed: int) -> Outcomes:
    return np.asarray(np.random.default_rng(seed).random(len(values)) < chances_of(values))


def terms_of(values: NDArray[np.float32]) -> list[Chances]:
    """Return the terms of quotes that are forecast to stay."""
    return error_terms(values, np.zeros(len(values)))


def fitted(values: NDArray[np.float32], outcomes: Outcomes) -> UnchangedQuotes:
    found = UnchangedQuotes()
    found.fit(terms_of(values), values, outcomes, np.arange(len(values)))
    return found


def test_chances_are_those_of_other_outcomes_in_every_tenth() -> None:
    values = some_features(40_000)
    found = fitted(values, outcomes_of(values, seed=1))
    values = some_features(40_000, seed=7)
    stated, happened = (
        found.chance(terms_of(values), values),
        outcomes_of(values, seed=8),
    )
    # No regression on these terms has a price class with half the chance. The cells correct its
    # mean, not the spread of the chances within a cell.
    assert np.abs(stated - chances_of(values)).mean() < 0.05
    for low in np.arange(0.1, 0.9, 0.1):
        tenth = (stated >= low) & (stated < low + 0.1)
        assert stated[tenth].mean() == pytest.approx(happened[tenth].mean(), abs=0.03)


def test_a_quote_is_less_likely_to_stay_the_further_it_is_from_its_forecast() -> None:
    values, rng = some_features(40_000), np.random.default_rng(3)
    moves = rng.choice((-0.2, -0.05, 0.0, 0.05, 0.2), 40_000)
    chances = np.where(moves == 0, 0.6, np.where(np.abs(moves) < 0.1, 0.3, 0.1))
    terms, found = error_terms(values, moves), UnchangedQuotes()
    found.fit(terms, values, rng.random(40_000) < chances, np.arange(40_000))
    stated = found.chance(terms, values)
    for size in (0.0, 0.05, 0.2):
        alike = np.abs(moves) == size
        assert stated[alike].mean() == pytest.approx(chances[alike].mean(), abs=0.04)


@pytest.mark.parametrize("rows", [300, 1000, 5000])
def test_on_average_as_many_quotes_stay_as_are_expected_to(rows: int) -> None:
    """However few outcomes a group has, none takes the frequency of the others."""
    values = some_features(rows)
    outcomes = outcomes_of(values, seed=1)
    stated = fitted(values, outcomes).chance(terms_of(values), values)
    assert stated.mean() == pytest.approx(outcomes.mean(), abs=0.012)
    dormant = values[:, COLUMN["fresh_share"]] < 0.04
    assert stated[dormant].mean() == pytest.approx(outcomes[dormant].mean(), abs=0.1)


def test_each_group_has_its_shrunk_frequency() -> None:
    """Most groups have it after a few steps, those far from it later; group 7 has no rows."""
    rng = np.random.default_rng(2)
    group = rng.choice((0, 1, 2, 3, 4, 5, 6, 8), 20_000, p=(0.6, 0.2, 0.1, *[0.02] * 5))
    odds = rng.normal(0, 1, 20_000) + group
    same = rng.random(20_000) < np.where(group == 3, 0.01, 0.3)
    offsets = _offsets(odds, same, np.arange(20_000), group, 9)
    assert offsets[7] == 0
    for number in set(group.tolist()):
        own = group == number
        wanted = (same[own].sum() + PRIOR_UNITS * sigmoid(odds[own]).mean()) / (
            own.sum() + PRIOR_UNITS
        )
        assert sigmoid(odds[own] + offsets[number]).mean() == pytest.approx(wanted, abs=1e-12)


def test_overlapping_outcomes_count_once() -> None:
    values = some_features(2_000)
    outcomes = outcomes_of(values, seed=1)
    outcomes[values[:, COLUMN["log_price"]] > np.log(20)] = True  # expensiveer cards never change
    once, many = UnchangedQuotes(), fitted(values, outcomes)
    once.fit(
        terms_of(values),
        values,
        outcomes,
        np.zeros(len(values), dtype=np.int64),
    )
    expensive = some_features(2_000)[values[:, COLUMN["log_price"]] > np.log(20)]
    terms = terms_of(expensive)
    assert many.chance(terms, expensive).mean() > once.chance(terms, expensive).mean() + 0.02


@pytest.mark.parametrize("same", [True, False])
def test_outcomes_that_never_vary_leave_some_doubt(same: bool) -> None:
    values = some_features(3_000)
    stated = fitted(values, np.full(3_000, same)).chance(terms_of(values), values)
    assert ((stated > 0) & (stated < 1)).all()
    assert stated.mean() == pytest.approx(float(same), abs=0.01)


def test_parameters_are_plain_json_and_give_the_same_chances() -> None:
    values = some_features(3_000)
    found = fitted(values, outcomes_of(values, seed=1))
    again = UnchangedQuotes(json.loads(json.dumps(found.parameters())))
    terms = terms_of(values)
    np.testing.assert_array_equal(again.chance(terms, values), found.chance(terms, values))
