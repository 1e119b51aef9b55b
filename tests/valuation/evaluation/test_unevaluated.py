"""The gate while there is nothing to evaluate a model on."""

import numpy as np
import pytest

from pokewatch.checks import failures
from pokewatch.settings import GateSettings
from pokewatch.valuation.evaluation.gate import gate
from pokewatch.valuation.evaluation.runner import evaluate
from pokewatch.valuation.evaluation.unevaluated import headline, missing_history, unjudged_checks
from pokewatch.valuation.panel import Panel
from tests.valuation.evaluation.test_gate import candidate
from tests.valuation.panels import market_like, panel_of


def panel(days: int, *without: int) -> Panel:
    """Return a panel of so many days, of which some are without prices."""
    prices = market_like(days, 30, gaps=0.0)
    prices[list(without)] = np.nan
    prices[[0, -1], 0] = 5.0  # the panel begins and ends with a price
    return panel_of(prices)


@pytest.mark.parametrize(
    ("found", "horizon", "missing"),
    [
        (panel(1), 7, "1 day of prices, 15 are needed"),
        (panel(2), 1, "2 days of prices, 3 are needed"),
        (panel(14), 7, "14 days of prices, 15 are needed"),
        (panel(15), 7, ""),
        (panel(15), 8, "15 days of prices, 17 are needed"),
        (panel(15, 7), 7, "14 days of prices, 15 are needed"),
        (panel(40, *range(1, 39)), 7, "2 days of prices, 15 are needed"),
        (
            panel(4, 2),
            1,
            "3 days of prices, but no forecast among them has its outcome 1 day later",
        ),
        (
            panel(41, *range(1, 41, 2)),
            7,
            "21 days of prices, but no forecast among them has its outcome 7 days later",
        ),
        (panel(46, *range(5, 45)), 2, ""),
        (panel(61, *range(20, 60)), 7, ""),
    ],
    ids=str,
)
def test_what_is_missing_for_an_evaluation(found: Panel, horizon: int, missing: str) -> None:
    assert missing_history(found.quoted_days, horizon) == missing
    if not missing:
        assert evaluate(found, ["last"], horizon)[0].scores["n"] > 0


def test_no_check_is_passed_or_failed() -> None:
    checks = unjudged_checks("3 days of prices, 15 are needed", None)
    assert {check.result for check in checks} == {"not judged"}
    assert {check.actual for check in checks} == {
        "cannot be judged yet: 3 days of prices, 15 are needed"
    }
    assert failures(checks) == ""


def test_the_rows_are_those_of_the_gate() -> None:
    limits = GateSettings(gate_mape=12.5)
    unjudged, judged = unjudged_checks("", None, limits), gate(candidate(), None, limits)
    assert [check.name for check in unjudged] == [check.name for check in judged]
    assert unjudged[0].threshold == judged[0].threshold == "<= 12.5%"


def test_an_evaluated_champion_is_not_replaced() -> None:
    checks = unjudged_checks("3 days of prices, 15 are needed", "4")
    assert [check.name for check in checks if not check.passed] == ["champion"]
    assert failures(checks) == (
        "champion is version 4, wanted no evaluated champion (a model that cannot be evaluated "
        "(3 days of prices, 15 are needed) never replaces one that was)"
    )


def test_the_remark_gives_the_figures() -> None:
    assert headline("1 day of prices, 15 are needed") == (
        "registered without evaluation: 1 day of prices, 15 are needed"
    )
