import json

import numpy as np
import pytest
from numpy.typing import NDArray

from pokewatch.valuation.error_model import error_terms
from pokewatch.valuation.features import COLUMN
from pokewatch.valuation.unchanged_quotes import UnchangedQuotes
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


def fitted(values: NDArray[np.float32], outcomes: Outcomes) -> UnchangedQuotes:
    found = UnchangedQuotes()
    found.fit(error_terms(values), values, outcomes, np.arange(len(values)))
    return found


def test_chances_are_those_of_other_outcomes_in_every_tenth() -> None:
    values = some_features(40_000)
    found = fitted(values, outcomes_of(values, seed=1))
    values = some_features(40_000, seed=7)
    stated, happened = found.chance(error_terms(values), values), outcomes_of(values, seed=8)
    assert np.abs(stated - chances_of(values)).mean() < 0.04
    for low in np.arange(0.1, 0.9, 0.1):
        tenth = (stated >= low) & (stated < low + 0.1)
        assert stated[tenth].mean() == pytest.approx(happened[tenth].mean(), abs=0.03)


@pytest.mark.parametrize("rows", [300, 1000, 5000])
def test_on_average_as_many_quotes_stay_as_are_expected_to(rows: int) -> None:
    """However few outcomes a group has, none takes the frequency of the others."""
    values = some_features(rows)
    outcomes = outcomes_of(values, seed=1)
    stated = fitted(values, outcomes).chance(error_terms(values), values)
    assert stated.mean() == pytest.approx(outcomes.mean(), abs=0.012)
    dormant = values[:, COLUMN["fresh_share"]] < 0.04
    assert stated[dormant].mean() == pytest.approx(outcomes[dormant].mean(), abs=0.1)


def test_overlapping_outcomes_count_once() -> None:
    values = some_features(2_000)
    outcomes = outcomes_of(values, seed=1)
    outcomes[values[:, COLUMN["log_price"]] > np.log(20)] = True  # expensiveer cards never change
    once, many = UnchangedQuotes(), fitted(values, outcomes)
    once.fit(error_terms(values), values, outcomes, np.zeros(len(values), dtype=np.int64))
    expensive = some_features(2_000)[values[:, COLUMN["log_price"]] > np.log(20)]
    terms = error_terms(expensive)
    assert many.chance(terms, expensive).mean() > once.chance(terms, expensive).mean() + 0.02


@pytest.mark.parametrize("same", [True, False])
def test_outcomes_that_never_vary_leave_some_doubt(same: bool) -> None:
    values = some_features(3_000)
    stated = fitted(values, np.full(3_000, same)).chance(error_terms(values), values)
    assert ((stated > 0) & (stated < 1)).all()
    assert stated.mean() == pytest.approx(float(same), abs=0.01)


def test_parameters_are_plain_json_and_give_the_same_chances() -> None:
    values = some_features(3_000)
    found = fitted(values, outcomes_of(values, seed=1))
    again = UnchangedQuotes(json.loads(json.dumps(found.parameters())))
    terms = error_terms(values)
    np.testing.assert_array_equal(again.chance(terms, values), found.chance(terms, values))
