import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scoringrules

from pokewatch.decision.distribution import WIDTH
from pokewatch.valuation.evaluation.scores import (
    Forecasts,
    block_weights,
    daily_sums,
    paired_difference,
    pinball,
    score,
    terms,
    winkler,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # utilsforecast 0.2.17 has a backslash in a docstring
    from utilsforecast.losses import mae, mape, quantile_loss, rmse


def some_forecasts(rows: int = 400, origins: int = 4, seed: int = 0) -> Forecasts:
    rng = np.random.default_rng(seed)
    last = np.exp(rng.normal(2, 1, rows))
    truth = np.where(rng.random(rows) < 0.4, last, last * np.exp(rng.normal(0, 0.1, rows)))
    fair = last * np.exp(rng.normal(0, 0.05, rows))
    return Forecasts(
        origin=np.sort(rng.integers(0, origins, rows)),
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


def scored(rows: Forecasts) -> dict[str, float]:
    origins = int(rows.origin.max()) + 1
    return score(daily_sums(terms(rows), rows.origin, origins), block_weights(origins, 1))


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
    assert last["rmae_last"] == pytest.approx(1.0)
    assert last["directional_accuracy"] is None


def test_shares_of_signals_add_up_and_a_card_without_a_value_lowers_the_coverage() -> None:
    rows = some_forecasts()
    fair = np.where(np.arange(400) < 100, np.nan, rows.fair)
    found = scored(replace(rows, fair=fair, lower=fair, upper=fair))
    assert found["coverage_rate"] == 0.75
    assert found["buy_rate"] + found["sell_rate"] + found["hold_rate"] == pytest.approx(1.0)
    assert found["n"] == 400


@pytest.mark.parametrize(("origins", "block"), [(1, 1), (12, 7), (16, 1), (5, 5)])
def test_resampling_draws_as_many_days_as_there_are(origins: int, block: int) -> None:
    weights = block_weights(origins, block)
    assert (weights.sum(axis=1) == origins).all()
    np.testing.assert_array_equal(weights, block_weights(origins, block))
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=0.2)


def test_days_that_differ_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    level = np.repeat(rng.normal(1.0, 0.3, 8), 4)
    sums = dict.fromkeys(terms(some_forecasts()), np.ones(32)) | {
        "error": level,
        "error_last": np.ones(32),
    }
    alone, together = (score(sums, block_weights(32, block))["rmae_last_ci"] for block in (1, 4))
    assert alone[0] < level.mean() < alone[1]
    assert together[1] - together[0] > 1.3 * (alone[1] - alone[0])


def test_a_paired_difference_sees_what_single_intervals_hide() -> None:
    rng = np.random.default_rng(0)
    hard = rng.uniform(0.5, 2.0, 16)
    sums = {"error": hard, "error_last": np.ones(16)}
    estimate, low, high = paired_difference(
        sums, sums | {"error": hard + 0.01}, block_weights(16, 2)
    )
    assert estimate == pytest.approx(0.01)
    assert 0 < low <= 0.01 + 1e-9 <= high + 2e-9
