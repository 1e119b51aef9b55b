import json
import math
from datetime import date, timedelta
from typing import Any

import pytest

from pokewatch.pipeline import plots

FIRST = date(2026, 1, 20)


def days(count: int) -> list[date]:
    return [FIRST + timedelta(days=day) for day in range(count)]


def test_a_single_day_is_a_dot() -> None:
    marks = [
        plots.days_plots(days(count), {"price": [1.0] * count})[0]["layer"][0]["mark"]
        for count in (1, 2)
    ]
    assert [mark["point"] for mark in marks] == [True, False]


def test_the_price_bands_have_a_currency() -> None:
    groups = [{"price_band": "1-5", "liquidity": "slow", "rmae_last": 0.9}]
    plot = plots.error_plot(groups, "EUR")
    assert plot["layer"][0]["encoding"]["x"]["axis"]["title"] == "price, EUR"


def test_numbers_that_json_does_not_have_are_left_out() -> None:
    nan = math.nan
    groups = [{"price_band": "1-5", "liquidity": "slow", "rmae_last": nan}]
    bins = [{"signal": "BUY", "confidence": 0.5, "observed": nan, "observed_ci": (nan, 1), "n": 3}]
    models: list[dict[str, Any]] = [
        {"model": "last", "rmae_last": nan, "rmae_last_ci": (nan, math.inf)},
        {"model": "boosted", "rmae_last": None, "rmae_last_ci": None},
    ]
    curve = {"equity": [1.0, math.inf]}
    backtest = {
        "policy": "fees",
        "dates": ["2026-01-20", "2026-01-21"],
        "followed": {"trades": 1234},
        "curve": curve,
        "random_curve": curve,
        "buy_everything_curve": curve,
    }
    series = [
        {"day": "2026-01-20", "e_value": math.inf, "e_opposite": 1.0}
        | {"low": nan, "mean": 0.0, "high": nan}
    ]
    found = [
        *plots.days_plots(days(2), {"price": [nan, None]}),
        plots.error_plot(groups, "USD"),
        plots.reliability_plot(bins),
        plots.coverage_plot(days(3), [1, 0, nan], [2, 0, 2], 0.86, 0.94),
        plots.drift_plot(days(1), [math.inf], 1.0),
        plots.candidates_plot(models, "last"),
        plots.equity_plot(backtest),
        *plots.experiment_plots(series, 20.0),
    ]
    for plot in found:
        json.dumps(plot, allow_nan=False)
    assert found[0]["data"]["values"] == [
        {"day": "2026-01-20", "value": None},
        {"day": "2026-01-21", "value": None},
    ]


def test_evidence_of_zero_is_left_out_as_its_axis_is_logarithmic() -> None:
    series = [
        {"day": "2026-01-20", "e_value": 0.0, "e_opposite": 2.0, "low": 0.0, "mean": 0.0, "high": 0}
    ]
    evidence, difference = plots.experiment_plots(series, 20.0)
    assert [row["evidence"] for row in evidence["data"]["values"]] == [None, 2.0]
    assert difference["data"]["values"][0]["mean"] == 0.0


def test_a_drift_that_no_axis_can_show_does_not_hide_the_others() -> None:
    for degrees, most in (([2.0, math.inf, math.nan], 2.2), ([math.nan], 1.25), ([], 1.25)):
        plot = plots.drift_plot(days(len(degrees)), degrees, 1.0)
        scale = plot["layer"][0]["encoding"]["y"]["scale"]
        assert scale["domain"] == [0, pytest.approx(most)]


def test_a_candidate_without_error_has_its_interval() -> None:
    models: list[dict[str, Any]] = [
        {"model": "last", "rmae_last": 0.0, "rmae_last_ci": (0.0, 0.1)},
        {"model": "boosted", "rmae_last": 0.9, "rmae_last_ci": None},
        {"model": "median", "rmae_last": None, "rmae_last_ci": (0.8, 1.0)},
    ]
    rows = plots.candidates_plot(models, "last")["data"]["values"]
    shown = [(row["error"], row["low"], row["high"]) for row in rows]
    assert shown == [(0.0, 0.0, 0.1), (None, None, None), (None, None, None)]
