from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from pokewatch.decision import Thresholds
from pokewatch.valuation.evaluation.reliability import outcomes_of, reliability
from pokewatch.valuation.evaluation.two_way import Clusters
from tests.valuation.evaluation.test_scores import some_forecasts


def test_confidence_is_the_share_that_comes_true_where_the_forecast_is_right() -> None:
    rng = np.random.default_rng(0)
    rows = some_forecasts(60_000)
    scale = 0.1
    truth = rows.fair * np.exp(scale * rng.normal(size=60_000))
    edge = np.exp(1.6448536 * scale)
    found = reliability(
        replace(
            rows,
            last=rows.fair * np.exp(rng.normal(0, 0.2, 60_000)),
            truth=truth,
            lower=rows.fair / edge,
            upper=rows.fair * edge,
        )
    )
    assert {each["signal"] for each in found} == {"BUY", "SELL", "HOLD"}
    for each in found:
        if each["n"] > 1000:
            assert each["observed"] == pytest.approx(each["confidence"], abs=0.03), each


def test_the_interval_of_a_frequency_allows_for_days_on_which_signals_fail_together() -> None:
    rng = np.random.default_rng(3)
    days = [date(2026, 1, 1) + timedelta(days=7 * number) for number in range(40)]
    held: list[bool] = []
    alone: list[bool] = []
    for _ in range(40):
        rows = some_forecasts(4_000)
        origin, card = np.divmod(np.arange(4_000), 100)
        # On a third of the days, all prices leave the thresholds.
        within = rng.random(40) < 2 / 3
        rows = replace(
            rows,
            origin=origin,
            card=card,
            last=np.full(4_000, 10.0),
            fair=np.full(4_000, 10.0),
            lower=np.full(4_000, 8.0),
            upper=np.full(4_000, 12.5),
            truth=np.where(within[origin], 10.0, 20.0),
            status=np.zeros(4_000, dtype=np.int8),
        )
        (found,) = reliability(rows, Clusters(origin, card, days, 7))
        low, high = found["observed_ci"]
        held.append(low <= 2 / 3 <= high)
        alone.append(abs(found["observed"] - 2 / 3) <= 1.96 * (2 / 9 / found["n"]) ** 0.5)
    assert sum(held) >= 35
    assert sum(alone) <= 20


def test_every_card_that_is_valued_is_counted_once() -> None:
    rows = some_forecasts(500)
    fair = np.where(np.arange(500) < 50, np.nan, rows.fair)
    found = reliability(
        replace(
            rows,
            fair=fair,
            lower=np.where(np.isnan(fair), np.nan, rows.lower),
            upper=np.where(np.isnan(fair), np.nan, rows.upper),
        )
    )
    assert sum(each["n"] for each in found) == 450


def test_a_few_signals_that_all_come_true_do_not_leave_out_a_little_less() -> None:
    origin, card = np.divmod(np.arange(20), 10)
    same = np.full(20, 10.0)
    rows = replace(
        some_forecasts(20),
        origin=origin,
        card=card,
        last=same,
        fair=same,
        lower=np.full(20, 9.0),
        upper=np.full(20, 11.5),
        truth=same,
        status=np.zeros(20, dtype=np.int8),
    )
    days = [date(2026, 1, 1), date(2026, 1, 8)]
    (found,) = reliability(rows, Clusters(origin, card, days, 7))
    stated, (low, high) = found["confidence"], found["observed_ci"]
    assert stated < 0.98
    assert low == pytest.approx(1 - 1.96 * (stated * (1 - stated) / 20) ** 0.5, abs=1e-3)
    assert high == 1


def test_whether_a_cent_price_is_within_the_thresholds_is_decided_as_in_whole_numbers() -> None:
    cents = np.arange(20, 4001, 20)
    for offset, within in ((-1, True), (0, True), (1, False)):
        at_upper = (cents * 115 // 100 + offset) / 100
        assert (outcomes_of(cents / 100, at_upper, Thresholds())["HOLD"] == within).all()
    for offset, within in ((-1, False), (0, False), (1, True)):
        at_lower = (cents * 9 // 10 + offset) / 100
        assert (outcomes_of(cents / 100, at_lower, Thresholds())["HOLD"] == within).all()
