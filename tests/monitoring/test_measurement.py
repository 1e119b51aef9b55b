"""When models are retrained, and from which day a market counts as changed."""

import re
from dataclasses import replace
from datetime import date, timedelta

import pytest

from pokewatch.checks import Check
from pokewatch.monitoring.calibration import Calibration, IntervalCoverage
from pokewatch.monitoring.drift import Shift
from pokewatch.monitoring.measurement import (
    Measurement,
    coverage_checks,
    first_training_day,
    retraining_due,
)
from pokewatch.settings import MonitorSettings
from pokewatch.valuation.evaluation.two_way import Estimate
from tests.monitoring.rulebook import rules

TODAY = date(2026, 3, 31)
NO_DAY = None
NOT_JUDGED = IntervalCoverage((), (), (), None, 0, None)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def measured(degrees: list[float], failed: list[str]) -> Measurement:
    days = tuple(ago(back) for back in range(len(degrees) - 1, -1, -1))
    scores = {
        "n": 900,
        "coverage_90": 0.7,
        "rmae_last": None,
        "bias": 0.0,
        "mape": 1.0,
        "coverage_rate": 1.0,
    }
    calibration = Calibration(7, ago(7), "1", True, scores, (), ())
    checks = tuple(Check(name, "", "", False, "") for name in failed)
    return Measurement(
        TODAY,
        "1",
        7,
        (calibration,),
        (Shift("set moves", 0.2, 0.4, 0.0, "base"),),
        checks,
        days,
        tuple(degrees),
        NOT_JUDGED,
    )


@pytest.mark.parametrize(
    ("degrees", "failed", "since"),
    [
        ([0.1, 0.2, 0.1], [], None),
        ([0.1, 2.0, 0.1], [], None),
        ([0.1, 1.2, 0.9, 1.0, 1.7], ["drift of moves"], ago(1 + 3)),
        ([1.2, 1.3], ["drift of set moves"], ago(1 + 3)),
        ([0.1, 0.2], ["coverage_90"], ago(7)),
        ([0.1, 1.2], ["drift of unchanged", "coverage_90"], None),
        ([0.1, 1.2], ["drift of coverage"], None),
    ],
    ids=[
        "quiet",
        "over",
        "drifting",
        "drifting-all-the-while",
        "coverage-alone",
        "quotes-stand-still",
        "cards-missing",
    ],
)
def test_first_day_of_a_changed_market(
    degrees: list[float], failed: list[str], since: date | None
) -> None:
    assert measured(degrees, failed).changed_since(1.0) == since


@pytest.mark.parametrize(
    ("last", "outdated", "trainable_on", "due"),
    [
        (NO_DAY, False, NO_DAY, False),
        (NO_DAY, True, NO_DAY, True),
        (ago(6), True, NO_DAY, False),
        (ago(7), True, NO_DAY, True),
        (ago(30), False, NO_DAY, False),
        (ago(3), False, TODAY, True),
        (ago(3), True, TODAY + timedelta(days=1), False),
        (TODAY, True, TODAY, False),
        (ago(1), False, ago(1), False),
    ],
    ids=[
        "quiet",
        "first",
        "cooling",
        "cooled",
        "quiet-again",
        "trainable",
        "trainable-tomorrow",
        "just-done",
        "trained-since",
    ],
)
def test_when_models_are_retrained(
    last: date | None, outdated: bool, trainable_on: date | None, due: bool
) -> None:
    assert retraining_due(TODAY, last, 7, outdated, trainable_on) is due


def test_training_starts_after_the_horizon() -> None:
    assert first_training_day(date(2026, 1, 1), 7) == date(2026, 1, 10)


def test_figures_are_flat_and_omit_unknown_values() -> None:
    figures = measured([0.1], []).figures()
    assert figures == {
        "n": 900.0,
        "coverage_90": 0.7,
        "bias": 0.0,
        "mape": 1.0,
        "coverage_rate": 1.0,
        "drift_set_moves": 0.5,
        "drift": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("share", "judged", "passed"),
    [
        (Estimate(0.80, 1e-3, 1e-3, 5.0), 900, True),
        (Estimate(0.80, 1e-5, 1e-5, 5.0), 900, False),
        (Estimate(0.99, 1e-5, 1e-5, 5.0), 900, False),
        (Estimate(0.90, 1e-5, 1e-5, 5.0), 900, True),
        (Estimate(0.80, 1e-5, 1e-5, 5.0), 499, True),
    ],
    ids=["uncertain", "low", "high", "inside", "few-cards"],
)
def test_coverage_fails_where_its_whole_interval_is_out_of_bounds(
    share: Estimate, judged: int, passed: bool
) -> None:
    found = IntervalCoverage((TODAY,), (0,), (judged,), share, judged, share)
    (check,) = coverage_checks(found, MonitorSettings())
    assert (check.name, check.passed) == ("coverage_90", passed)
    assert check.actual.startswith(f"{share.value:.3f} [")
    assert "independent periods" in check.why


def test_the_rules_are_about_figures_of_a_measurement() -> None:
    share = Estimate(0.9, 1e-4, 1e-4, 5.0)
    found = measured([0.1], [])
    (calibration,) = found.calibrations
    scored = replace(calibration, scores={**calibration.scores, "rmae_last": 0.9})
    covered = IntervalCoverage((ago(8),), (400,), (450,), share, 300, share)
    figures = replace(found, calibrations=(scored,), covered=covered).figures()
    expressions = " ".join(rule["expr"] for rule in rules())
    named = set(re.findall(r'pokewatch_monitoring\{[^}]*metric="(\w+)"', expressions))
    assert "interval_coverage_renewed_low" in named
    assert named <= figures.keys()


@pytest.mark.parametrize(
    ("renewed", "share", "passed"),
    [(900, 0.9, True), (900, 0.96, False), (499, 0.96, True), (0, None, True)],
    ids=["inside", "too-wide", "few-renewed", "none-renewed"],
)
def test_the_upper_bound_of_the_coverage_is_that_of_renewed_prices(
    renewed: int, share: float | None, passed: bool
) -> None:
    of_all, found = Estimate(0.98, 1e-5, 1e-5, 5.0), None
    if share is not None:
        found = Estimate(share, 1e-5, 1e-5, 5.0)
    covered = IntervalCoverage((TODAY,), (0,), (9000,), of_all, renewed, found)
    (check,) = coverage_checks(covered, MonitorSettings())
    assert (check.threshold, check.passed) == (">= 0.86" if passed else "0.86 to 0.94", passed)
    assert f"applies to the {renewed:,} renewed prices" in check.why


def test_the_coverage_is_reported_with_its_error_and_its_forecasts() -> None:
    share = Estimate(0.9, 1e-4, 1e-4, 5.0)
    renewed = Estimate(0.8, 1e-4, 1e-4, 5.0)
    covered = IntervalCoverage((ago(8), ago(7)), (400, 410), (450, 450), share, 300, renewed)
    figures = replace(measured([0.1], []), covered=covered).figures()
    assert {name: figures[name] for name in figures if name.startswith("interval_coverage")} == {
        "interval_coverage": 0.9,
        "interval_coverage_low": share.low,
        "interval_coverage_high": share.high,
        "interval_coverage_n": 900.0,
        "interval_coverage_renewed_low": renewed.low,
        "interval_coverage_renewed_n": 300.0,
    }


def test_coverage_that_was_not_judged_is_no_check() -> None:
    assert coverage_checks(NOT_JUDGED, MonitorSettings()) == []
