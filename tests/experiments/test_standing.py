import json

import numpy as np
import pytest

from pokewatch.experiments.sequential import log_e_values
from pokewatch.experiments.standing import Standing
from tests.experiments.standings import FIRST, day_result, experiment, standing


def test_the_standing_is_that_of_the_test_after_each_day() -> None:
    z = np.random.default_rng(1).normal(0.05, 0.1, 40)
    found = standing(1, z.tolist())
    ordinals = FIRST.toordinal() + np.arange(40)
    assert found.e_value == pytest.approx(np.exp(log_e_values(z, ordinals, 7, 0.15)))
    assert found.e_opposite == pytest.approx(np.exp(log_e_values(-z, ordinals, 7, 0.15)))
    assert found.mean[-1] == pytest.approx(z.mean())
    assert (found.low <= found.mean).all()
    assert (found.mean <= found.high).all()
    assert found.gain() == pytest.approx(10 * z.sum() / (50 * 40))


def test_the_standing_as_json() -> None:
    found = standing(3, [0.2] * 30).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["days"], found["forecasts"], len(found["series"])) == (30, 3000, 30)
    assert found["champion_error"] == pytest.approx(0.5)
    assert found["challenger_error"] == pytest.approx(0.48)
    assert found["series"][0]["day"] == FIRST.isoformat()


@pytest.mark.parametrize(
    ("z", "covered", "verdict"),
    [
        pytest.param(0.4, 90, "promote", id="better"),
        pytest.param(0.4, 60, "continue", id="better, and too sure of itself"),
        pytest.param(-0.4, 90, "abort", id="worse"),
        pytest.param(0.01, 90, "continue", id="equal"),
    ],
)
def test_the_verdict_needs_evidence_coverage_and_time(z: float, covered: int, verdict: str) -> None:
    days = [day_result(at, z, covered) for at in range(40)]
    assert Standing.of(experiment(), days).verdict() == verdict
    assert Standing.of(experiment(), days[:20]).verdict() == "continue", "too early"


def test_an_experiment_without_results_has_a_standing() -> None:
    excluded = [day_result(0, None, excluded="late")]
    found = Standing.of(experiment(), excluded)
    assert found.verdict() == "continue"
    shown = found.to_dict()
    assert (shown["days"], shown["excluded"], shown["gain"], shown["series"]) == (0, 1, None, [])


def test_overwhelming_evidence_is_a_finite_number() -> None:
    found = standing(1, [1.0] * 2000)
    assert np.isfinite(found.e_value).all()
    assert found.e_opposite[-1] == pytest.approx(0, abs=1e-12)
