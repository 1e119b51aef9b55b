import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from pokewatch.errors import ValuationError
from pokewatch.valuation.evaluation.origins import MIN_ORIGINS, origin_days
from pokewatch.valuation.evaluation.runner import evaluate, evaluate_file, forecasts
from pokewatch.valuation.features import COLUMN, stream_features
from pokewatch.valuation.models import MODELS
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.training_set import build_training_set
from tests.valuation.panels import long_table, market_like, panel_of


def trending(days: int = 80, cards: int = 150, shuffle: bool = False) -> NDArray[np.float64]:
    """Return quotes [d, n] whose moves continue; `shuffle` permutes the moves."""
    rng = np.random.default_rng(11)
    moves = rng.normal(0, 0.02, (days, cards))
    for day in range(1, days):
        moves[day] += 0.85 * moves[day - 1]
    if shuffle:
        moves = rng.permutation(moves.ravel()).reshape(moves.shape)
    return np.exp(3.0 + np.cumsum(moves, axis=0))


def test_the_json_is_plain_and_complete(tmp_path: Path) -> None:
    pq.write_table(long_table(market_like(60, 40)), tmp_path / "prices.parquet")
    found = evaluate_file(tmp_path / "prices.parquet", 7)
    assert [each["model"] for each in found] == list(MODELS)
    for each in found:
        plain = json.loads(json.dumps(each, allow_nan=False))
        assert {
            "model",
            "horizon",
            "origins",
            "n",
            "rmae_last",
            "rmae_last_ci",
            "rmae_median7",
            "mape",
            "bias",
            "coverage_90",
            "winkler_90",
        } <= set(plain)
        assert {
            "directional_accuracy",
            "groups",
            "rmse",
            "coverage_rate",
            "buy_rate",
            "sell_rate",
            "hold_rate",
            "dataset_size",
        } <= set(plain)
        assert each["rmae_last_ci"][0] <= each["rmae_last"] <= each["rmae_last_ci"][1]
        assert sum(group["n"] for group in each["groups"]) == each["n"] == each["dataset_size"]
        span = date.fromisoformat(each["origins"][-1]) - date.fromisoformat(each["origins"][0])
        assert each["renewal_rate"] == each["fresh"]["n"] / each["n"]
        assert each["windows"] == (span.days + 7) / 7
        assert each["skill"] == (
            "too few periods to tell"
            if each["beats_last_price"]
            else "no better than the last price"
        )


def test_where_the_market_did_not_change_the_coverage_is_that_of_all_days() -> None:
    (found,) = evaluate(panel_of(market_like(80, 30)), ["last"], 7)
    assert found.settled_coverage()[0] == found.scores["coverage_90"]
    of_renewed = found.fresh["coverage_90"], found.sums["renewed_interval"].sum()
    assert found.settled_coverage(renewed=True) == of_renewed
    assert of_renewed[1] < found.scores["n"]


def test_a_single_card_shows_no_skill(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    walks = 10 * np.exp(np.cumsum(rng.normal(0, 0.04, (160, 5)), axis=0))
    for walk in walks.T.round(2):
        (found,) = evaluate(panel_of(walk[:, None]), ["local_level"], 7)
        assert found.scores["rmae_last_ci"] is None
        assert found.scores["rmae_last"] > 0
        assert found.skill == "no better than the last price"
        json.dumps(found.to_dict(), allow_nan=False)


def test_a_weekly_panel_is_judged_whatever_its_last_day() -> None:
    prices = market_like(168, 12, gaps=0.0)
    prices[np.arange(168) % 7 != 0] = np.nan
    prices[167] = prices[161]  # no Monday, as the other days are
    (found,) = evaluate(panel_of(prices), ["last"], 7)
    assert len(found.origins) >= MIN_ORIGINS
    assert (found.sums["quoted"] > 0).all()
    assert {day.weekday() for day in found.origins} == {0}


def test_prices_without_an_outcome_cannot_be_judged(tmp_path: Path) -> None:
    prices = market_like(60, 12, gaps=0.0)
    prices[np.arange(60) % 2 != 0] = np.nan
    with pytest.raises(ValuationError, match="no day has prices both on it and 7 days later"):
        evaluate(panel_of(prices), ["last"], 7)
    pq.write_table(long_table(market_like(60, 12)), tmp_path / "prices.parquet")
    with pytest.raises(ValuationError, match="no card with a price at or above 1000000 on"):
        evaluate_file(tmp_path / "prices.parquet", 7, "last", min_price=1e6)


def test_origins_without_quotes_are_no_periods() -> None:
    prices = market_like(200, 12, gaps=0.0)
    prices[30:140] = np.nan
    (found,) = evaluate(panel_of(prices), ["last"], 7)
    span = (found.origins[-1] - found.origins[0]).days
    assert found.windows <= len(found.origins) < span / 7


def test_one_model_and_a_minimum_price_can_be_given(tmp_path: Path) -> None:
    prices = market_like(60, 40)
    pq.write_table(long_table(prices), tmp_path / "prices.parquet")
    (found,) = evaluate_file(tmp_path / "prices.parquet", 7, model="median7", min_price=5.0)
    origins = np.array(origin_days(60, 7))
    both = (prices[origins] >= 5.0) & np.isfinite(prices[origins + 7])
    assert found["n"] == both.sum()
    assert {group["price_band"] for group in found["groups"]} <= {"5-20", "20-100", ">100"}


def test_progress_rises_to_one_by_the_forecasts_of_each_origin_and_model() -> None:
    seen: list[float] = []
    evaluate(panel_of(market_like(60, 40)), ("last", "median7"), 7, progress=seen.append)
    steps = 2 * len(origin_days(60, 7))
    assert seen == [step / steps for step in range(1, steps + 1)]


def test_models_evaluated_together_have_the_scores_of_each_alone() -> None:
    panel, names = panel_of(market_like(60, 40)), ("last", "median7", "local_level")
    together = [found.to_dict() for found in evaluate(panel, names, 7)]
    assert together == [evaluate(panel, [name], 7)[0].to_dict() for name in names]


def test_five_days_are_enough_for_a_horizon_of_one_but_marked_as_few() -> None:
    for found in evaluate(panel_of(market_like(5, 60, gaps=0.0)), list(MODELS), 1):
        assert len(found.origins) == 3
        assert found.scores["n"] > 0
        assert not found.to_dict()["enough_origins"]


def test_a_model_is_scored_on_the_quote_at_the_horizon() -> None:
    prices = market_like(40, 30)
    panel = panel_of(prices)
    rows = forecasts(panel, ["rolling_mean"], 5, [20, 30])["rolling_mean"]
    both = np.isfinite(prices[[20, 30]]) & np.isfinite(prices[[25, 35]])
    np.testing.assert_array_equal(rows.truth, prices[[25, 35]][both])
    np.testing.assert_array_equal(rows.last, prices[[20, 30]][both])
    later = np.stack([panel.fresh[day + 1 : day + 6].any(axis=0) for day in (20, 30)])
    np.testing.assert_array_equal(rows.renewed, later[both])
    assert (panel.fresh[[20, 30]] & ~later)[both].any(), "on the day of the forecast alone"


def test_skill_is_found_where_there_is_some_and_not_where_moves_are_shuffled() -> None:
    (real,) = evaluate(panel_of(trending()), ["local_level"], 5)
    assert real.scores["rmae_last_ci"][1] < 0.97
    (shuffled,) = evaluate(panel_of(trending(shuffle=True)), ["local_level"], 5)
    assert shuffled.scores["rmae_last"] > 0.99


def test_a_leaked_outcome_is_detected() -> None:
    """An outcome leaked into the past is detected: truncating the future changes features."""
    prices = market_like(40, 30, gaps=0.0)
    leaky, past = _leaking(panel_of(prices)), _leaking(panel_of(prices[:31]))
    whole = next(stream_features(leaky, [30])).values
    assert not np.array_equal(whole, next(stream_features(past, [30])).values, equal_nan=True)


def _leaking(panel: Panel) -> Panel:
    """Return the panel with the quotes of five days later on all days but the last five."""
    prices = np.array(panel.market)
    prices[:-5] = prices[5:].copy()
    return replace(panel, market=prices)


def test_a_same_day_mean_can_never_pass_for_skill() -> None:
    """A mean that includes the day it is scored on looks good; scores are of later days only."""
    panel = panel_of(
        np.exp(3.0 + np.cumsum(np.random.default_rng(2).normal(0, 0.03, (60, 80)), axis=0))
    )
    with pytest.raises(ValueError, match="at least 1 day, got 0"):
        evaluate(panel, ["rolling_mean"], 0)
    (found,) = evaluate(panel, ["rolling_mean"], 1)
    assert found.scores["rmae_last"] > 1.1


def test_every_target_of_a_training_set_is_the_quote_at_the_horizon() -> None:
    panel = panel_of(market_like(40, 10))
    training_set = build_training_set(panel, 7, [10, 12])
    for row in range(len(training_set)):
        day, card = int(training_set.day[row]), int(training_set.card[row])
        assert training_set.values[row, COLUMN["log_price"]] == np.float32(
            np.log(panel.market[day, card])
        )
        assert training_set.target[row] == np.log(panel.market[day + 7, card]) - np.log(
            panel.market[day, card]
        )


@pytest.mark.parametrize(
    ("names", "horizon", "error", "message"),
    [
        (["oracle"], 7, ValueError, "'oracle'"),
        (["median7"], 40, ValuationError, "too few .* 60 days of prices"),
        (["median7"], -1, ValueError, "got -1"),
    ],
    ids=["model", "short", "horizon"],
)
def test_invalid_arguments_raise(
    names: list[str], horizon: int, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        evaluate(panel_of(market_like(60, 5)), names, horizon)


@pytest.mark.slow
def test_a_real_panel_is_evaluated(shared_data: Path) -> None:
    found = {
        each["model"]: each for each in evaluate_file(shared_data / "cardmarket_daily.parquet", 7)
    }
    assert found["local_level"]["rmae_last"] <= 1.005 < found["median7"]["rmae_last"]
    assert all(0.87 <= each["coverage_90"] <= 0.93 for each in found.values())
