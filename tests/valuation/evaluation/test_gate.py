from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pokewatch.checks import Check, failures
from pokewatch.settings import GateSettings
from pokewatch.valuation.evaluation.gate import gate
from pokewatch.valuation.evaluation.model_selection import excess_error
from pokewatch.valuation.evaluation.runner import Evaluation
from tests.valuation.evaluation.test_comparison import errors_of
from tests.valuation.evaluation.test_model_selection import evaluation_of

GOOD: dict[str, Any] = {
    "mape": 43.0,
    "trimmed_mape": 15.0,
    "coverage_rate": 0.9,
    "coverage_90": 0.9,
    "n": 5000,
}


def candidate(origins: int = 12, error: float = 0.9, **scores: Any) -> Evaluation:
    given = GOOD | scores
    found, rows = (
        evaluation_of("local_level", error, origins),
        np.full(origins, given["n"] / origins),
    )
    covered = rows * np.nan if given["coverage_90"] is None else rows * given["coverage_90"]
    valued = rows if given["coverage_90"] is not None else 0 * rows
    sums = {"quoted": rows, "valued": valued, "interval": valued, "covered": covered}
    renewed = {"renewed_interval": valued, "renewed_covered": covered}
    return replace(found, scores=given, sums={**found.sums, **sums, **renewed})


def with_renewed(found: Evaluation, coverage: float, n: float) -> Evaluation:
    """Return the evaluation with the coverage of `n` renewed prices, alike on all of its days."""
    rows = np.full(len(found.origins), n / len(found.origins))
    sums = {"renewed_interval": rows, "renewed_covered": rows * coverage}
    return replace(found, sums=found.sums | sums)


def found(checks: list[Check]) -> dict[str, bool]:
    return {check.name: check.passed for check in checks}


def test_a_good_model_passes_every_check() -> None:
    checks = gate(candidate())
    assert found(checks) == {
        "mape": True,
        "coverage_rate": True,
        "interval_coverage": True,
        "champion": True,
    }
    assert failures(checks) == ""


@pytest.mark.parametrize(
    ("scores", "failed"),
    [
        ({"trimmed_mape": 15.01}, "mape"),
        ({"coverage_rate": 0.899}, "coverage_rate"),
        ({"coverage_90": 0.859}, "interval_coverage"),
        ({"coverage_90": 0.941}, "interval_coverage"),
        ({"trimmed_mape": None}, "mape"),
        ({"coverage_rate": None}, "coverage_rate"),
        ({"coverage_90": None}, "interval_coverage"),
    ],
    ids=str,
)
def test_a_score_beyond_its_threshold_fails(scores: dict[str, Any], failed: str) -> None:
    checks = found(gate(candidate(**scores)))
    assert [name for name, passed in checks.items() if not passed] == [failed]


@pytest.mark.parametrize("coverage", [0.875, 0.9375])
def test_limits_are_inclusive(coverage: float) -> None:
    """All numbers are exact in binary, and so are the limits."""
    limits = GateSettings(
        gate_interval_low=0.875, gate_interval_high=0.9375, gate_interval_rows=4096
    )
    check = gate(candidate(16, coverage_90=coverage, n=4096), settings=limits)[2]
    assert (check.passed, check.threshold) == (True, "0.875 to 0.9375")
    few = candidate(16, coverage_90=0.5, n=2048)
    assert gate(few, settings=limits)[2].passed
    champion = replace(candidate(error=0.9), model="median7")
    excess = excess_error(candidate(error=0.95), champion)
    assert excess is not None
    limits = GateSettings(gate_champion_margin=excess.high)
    assert gate(candidate(error=0.95), champion, limits)[-1].passed


def test_nan_does_not_pass() -> None:
    unknown = candidate(trimmed_mape=np.nan, coverage_rate=np.nan, coverage_90=np.nan)
    assert not any(list(found(gate(unknown)).values())[:3])


@pytest.mark.parametrize(("origins", "n"), [(3, 5000), (12, 499)], ids=["few-days", "few-cards"])
def test_with_little_data_half_the_interval_coverage_is_enough(origins: int, n: int) -> None:
    check = next(
        check
        for check in gate(candidate(origins, coverage_90=0.99, n=n))
        if check.name == "interval_coverage"
    )
    assert check.passed
    assert "too few" in check.why
    check = next(
        check
        for check in gate(candidate(origins, coverage_90=0.4, n=n))
        if check.name == "interval_coverage"
    )
    assert not check.passed


@pytest.mark.parametrize(
    ("renewed", "n", "passed"),
    [(0.9, 600, True), (0.95, 600, False), (0.95, 492, True), (0.0, 0, True)],
    ids=["inside", "too-wide", "few-renewed", "none-renewed"],
)
def test_the_upper_limit_of_the_coverage_is_that_of_renewed_prices(
    renewed: float, n: int, passed: bool
) -> None:
    """A list that is seldom renewed is inside any interval that holds the last price."""
    check = gate(with_renewed(candidate(coverage_90=0.98), renewed, n))[2]
    wanted = ">= 0.86" if passed else "0.86 to 0.94"
    assert (check.name, check.threshold, check.passed) == ("interval_coverage", wanted, passed)
    assert f"applies to those that were renewed: {n:,} with a share of" in check.why


def test_renewed_prices_around_a_market_change_do_not_make_an_interval_narrower() -> None:
    """On three of fifteen days hardly a price is inside, on the others 96% of the renewed ones."""
    wide = with_renewed(candidate(15, coverage_90=0.98), 0.96, 6000)
    covered = wide.sums["renewed_covered"] * np.where(np.arange(15) < 3, 0.25, 1.0)
    shaken = replace(wide, sums=wide.sums | {"renewed_covered": covered})
    assert gate(shaken)[2].passed
    check = gate(replace(shaken, settled=(False,) * 3 + (True,) * 12))[2]
    assert not check.passed
    assert "applies to those that were renewed: 4,800 with a share of 0.960" in check.why


def test_card_days_without_an_interval_do_not_count_for_its_coverage() -> None:
    """Forecasts of the first days have no interval: 480 of 4,800 card-days have one."""
    few = candidate(coverage_90=0.99, n=4800)
    sums = {name: few.sums[name] / 10 for name in ("interval", "covered")}
    check = gate(replace(few, sums=few.sums | sums))[2]
    assert (check.name, check.threshold, check.passed) == ("interval_coverage", ">= 0.5", True)
    assert "480 card-days on 12 days are too few" in check.why


def test_days_around_a_market_change_are_left_out_of_the_interval_coverage() -> None:
    """Three of fifteen days have hardly a price inside: 0.77 in all, 0.9 on the others."""
    good = candidate(15)
    covered = good.sums["covered"] * np.where(np.arange(15) < 3, 0.25, 1.0)
    shaken = replace(good, sums=good.sums | {"covered": covered})
    assert found(gate(shaken))["interval_coverage"] is False
    check = gate(replace(shaken, settled=(False,) * 3 + (True,) * 12))[2]
    assert (check.name, check.actual, check.passed) == ("interval_coverage", "0.900", True)
    assert "3 days are left out" in check.why


def test_an_unknown_interval_coverage_does_not_pass() -> None:
    assert found(gate(replace(candidate(), settled=(False,) * 12)))["interval_coverage"] is False


@pytest.mark.parametrize(
    ("error", "passed"),
    [(0.9, True), (0.89, True), (0.904, True), (0.906, False), (0.95, False)],
    ids=["equal", "better", "within-the-margin", "beyond-the-margin", "worse"],
)
def test_the_champion_must_not_be_better(error: float, passed: bool) -> None:
    check = gate(candidate(error=error), replace(candidate(error=0.9), model="median7"))[-1]
    assert (check.name, check.passed) == ("champion", passed)
    assert "median7" in check.why


def test_limits_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKEWATCH_GATE_MAPE", "20")
    assert failures(gate(candidate(trimmed_mape=19.0))) == ""
    assert failures(gate(candidate(trimmed_mape=19.0), settings=GateSettings(gate_mape=10.0))) != ""
    champion = replace(candidate(error=0.9), model="median7")
    settings = GateSettings(gate_mape=20.0, gate_champion_margin=0.06)
    assert failures(gate(candidate(error=0.95), champion, settings)) == ""


def test_one_wrong_quote_does_not_decide_and_the_mean_is_reported() -> None:
    check = gate(candidate(mape=43.0, trimmed_mape=12.9))[0]
    assert (check.name, check.actual, check.passed) == ("mape", "12.90%", True)
    assert "with them, the mean is 43.00%" in check.why


def test_a_candidate_that_may_be_worse_than_the_champion_is_refused() -> None:
    """Its estimate is no worse, but too few days were compared to know."""
    rng = np.random.default_rng(0)
    error = 0.9 + rng.normal(0, 0.1, (12, 1))
    champion = replace(candidate(error=0.9), model="median7")
    check = gate(replace(candidate(), errors=errors_of(np.tile(error, 30))), champion)[-1]
    assert not check.passed
    unknown = replace(candidate(), errors=errors_of(np.full((12, 30), np.nan)))
    check = gate(unknown, champion)[-1]
    assert (check.actual, check.passed) == ("unknown", False)


def test_days_that_no_model_could_foresee_are_left_out_of_the_comparison() -> None:
    error = np.where(np.arange(12) < 3, 5.0, 0.9)[:, None]
    settled = (False,) * 3 + (True,) * 9
    shaken = replace(candidate(), errors=errors_of(np.tile(error, 30)), settled=settled)
    check = gate(shaken, replace(candidate(error=0.9), model="median7", settled=settled))[-1]
    assert check.passed
    assert "are left out" in check.why
