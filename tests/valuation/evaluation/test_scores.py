import warnings
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scoringrules

from pokewatch.decision.distribution import WIDTH
from pokewatch.valuation.evaluation.scores import (
    Forecasts,
    daily_sums,
    pinball,
    score,
    terms,
    trimmed_mean,
    winkler,
)
from pokewatch.valuation.evaluation.two_way import Clusters

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # utilsforecast 0.2.17 has a backslash in a docstring
    from utilsforecast.losses import mae, mape, quantile_loss, rmse


def some_forecasts(rows: int = 400, origins: int = 4, seed: int = 0) -> Forecasts:
    """Return forecasts of `rows / origins` cards at each origin."""
    rng = np.random.default_rng(seed)
    last = np.exp(rng.normal(2, 1, rows))
    truth = np.where(rng.random(rows) < 0.4, last, last * np.exp(rng.normal(0, 0.1, rows)))
    fair = last * np.exp(rng.normal(0, 0.05, rows))
    return Forecasts(
        origin=np.repeat(np.arange(origins), rows // origins),
        card=np.tile(np.arange(rows // origins), origins),
        last=last,
        median7=last * np.exp(rng.normal(0, 0.05, rows)),
        truth=truth,
        fair=fair,
        lower=fair * np.exp(-rng.exponential(0.1, rows)),
        upper=fair * np.exp(rng.exponential(0.1, rows)),
        status=np.zeros(rows, dtype=np.int8),
        band=np.zeros(rows, dtype=np.int64),
        liquidity=np.zeros(rows, dtype=np.int64),
        renewed=truth != last,
        distribution=np.full((rows, WIDTH), np.nan),
    )


def scored(rows: Forecasts) -> dict[str, Any]:
    days = [date(2026, 1, 1) + timedelta(days=7 * day) for day in range(int(rows.origin.max()) + 1)]
    return score(terms(rows), Clusters(rows.origin, rows.card, days, 7))


def test_interval_scores_are_those_of_scoringrules() -> None:
    rng = np.random.default_rng(3)
    truth, lower = rng.normal(size=100), rng.normal(-1, 0.5, size=100)
    upper = lower + rng.exponential(2.0, size=100)
    np.testing.assert_allclose(
        winkler(truth, lower, upper), scoringrules.interval_score(truth, lower, upper, 0.1)
    )
    for level in (0.05, 0.5, 0.95):
        np.testing.assert_allclose(
            pinball(truth, upper, level), scoringrules.quantile_score(truth, upper, level)
        )


def test_errors_are_those_of_utilsforecast() -> None:
    rows = some_forecasts()
    found = scored(rows)
    prices = pd.DataFrame(
        {"unique_id": "all", "ds": range(len(rows.last)), "y": rows.truth, "fair": rows.fair}
    )
    logs = prices.assign(
        y=np.log(rows.truth),
        fair=np.log(rows.fair),
        last=np.log(rows.last),
        lower=np.log(rows.lower),
        median7=np.log(rows.median7),
    )
    assert found["mape"] == pytest.approx(100 * mape(prices, ["fair"])["fair"].item())
    assert found["rmse"] == pytest.approx(rmse(logs, ["fair"])["fair"].item())
    errors = mae(logs, ["fair", "last", "median7"])
    assert found["rmae_last"] == pytest.approx(errors["fair"].item() / errors["last"].item())
    assert found["rmae_median7"] == pytest.approx(errors["fair"].item() / errors["median7"].item())
    below = quantile_loss(logs, models={"lower": "lower"}, q=0.05)["lower"].item()
    np.testing.assert_allclose(
        pinball(logs["y"].to_numpy(), logs["lower"].to_numpy(), 0.05).mean(), below
    )


def test_a_perfect_forecast_and_the_last_price_score_as_they_must() -> None:
    rows = some_forecasts()
    found = scored(replace(rows, fair=rows.truth, lower=rows.truth, upper=rows.truth))
    assert (
        found["rmae_last"],
        found["mape"],
        found["coverage_90"],
        found["directional_accuracy"],
    ) == (0.0, 0.0, 1.0, 1.0)
    last = scored(replace(rows, fair=rows.last, lower=rows.last / 2, upper=rows.last * 2))
    assert last["rmae_last"] == 1.0
    assert last["rmae_last_ci"] == [1.0, 1.0], "equal to the last price, not better by rounding"
    assert last["directional_accuracy"] is None


def test_shares_of_signals_add_up_and_a_card_without_a_value_lowers_the_coverage() -> None:
    rows = some_forecasts()
    fair = np.where(np.arange(400) < 100, np.nan, rows.fair)
    found = scored(replace(rows, fair=fair, lower=fair, upper=fair))
    assert found["coverage_rate"] == 0.75
    assert found["buy_rate"] + found["sell_rate"] + found["hold_rate"] == pytest.approx(1.0)
    assert found["n"] == 400


def test_rounding_is_no_skill() -> None:
    rows = some_forecasts()
    lower, upper = rows.last / 2, rows.last * 2
    found = scored(replace(rows, fair=rows.last * (1 + 1e-13), lower=lower, upper=upper))
    assert (found["rmae_last"], found["rmae_last_ci"]) == (1.0, [1.0, 1.0])


def test_every_score_is_inside_its_interval() -> None:
    found = scored(some_forecasts())
    names = [name.removesuffix("_ci") for name in found if name.endswith("_ci")]
    assert len(names) == 10
    for name in names:
        low, high = found[f"{name}_ci"]
        assert low < found[name] < high
    assert found["rmse"] ** 2 == pytest.approx(
        (found["rmse_ci"][0] ** 2 + found["rmse_ci"][1] ** 2) / 2
    )


def test_intervals_have_no_values_that_a_score_cannot_have() -> None:
    """One of two days has nearly all of the errors: the errors of the shares reach far."""
    rows = some_forecasts(origins=2)
    calm = rows.origin == 0
    truth = np.where(calm, rows.last, rows.truth)
    fair = np.where(calm, rows.last * 1.0001, rows.fair)
    found = scored(replace(rows, truth=truth, fair=fair, lower=fair / 1.1, upper=fair * 1.1))
    assert found["coverage_90_ci"] == [0.0, 1.0]
    assert found["rmae_median7_ci"][0] == found["winkler_90_ci"][0] == 0.0
    assert found["mape_ci"][0] == found["rmse_ci"][0] == 0.0
    assert found["bias_ci"][0] < 0


def test_sums_by_day_add_up() -> None:
    rows = some_forecasts()
    sums = daily_sums(terms(rows), rows.origin, 4)
    assert sums["quoted"].tolist() == [100.0] * 4
    assert sums["error"].sum() == pytest.approx(terms(rows)["error"].sum())


def test_one_wrong_quote_moves_the_mean_and_not_the_trimmed_mean() -> None:
    rows = some_forecasts()
    before = scored(rows)
    truth = rows.truth.copy()
    truth[17] = 0.01
    after = scored(replace(rows, truth=truth))
    assert after["mape"] > 10 * before["mape"]
    assert after["trimmed_mape"] == pytest.approx(before["trimmed_mape"], rel=0.02)


@pytest.mark.parametrize(
    ("values", "mean"),
    [([], None), ([3.0], 3.0), ([1.0, 100.0], 1.0), ([*range(99), 1e9], 49.0)],
    ids=["none", "one", "two", "a hundred"],
)
def test_the_largest_values_are_trimmed(values: list[float], mean: float | None) -> None:
    given = np.array([*values, 7e9])
    assert trimmed_mean(given, np.arange(len(given)) < len(values)) == mean
