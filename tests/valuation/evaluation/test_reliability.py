from dataclasses import replace

import numpy as np
import pytest

from pokewatch.valuation.evaluation.reliability import reliability
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
