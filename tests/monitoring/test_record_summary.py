import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pokewatch.monitoring.record_summary import WORST, summarize
from pokewatch.valuation.evaluation.two_way import Clusters
from tests.monitoring.test_resolved_forecasts import read
from tests.valuation.test_track_record import forecasts

FIRST = date(2026, 1, 20)


def varied(number: int, count: int = 12) -> pa.Table:
    """Return forecasts of one day with different outcomes."""
    random = np.random.default_rng(number)
    table = forecasts(FIRST + timedelta(days=number), count, model_version=str(number))
    at = table.schema.get_field_index("outcome")
    return table.set_column(
        at, table.schema.field(at), pa.array(10 * np.exp(0.1 * random.normal(size=count)))
    )


def summary(folder: Path, *tables: pa.Table) -> dict[str, Any]:
    (found,) = summarize(read(folder, *tables))
    return found


def test_errors_and_intervals_are_those_of_the_evaluation(tmp_path: Path) -> None:
    days = [0, 1, 7, 20]
    found = summary(tmp_path, *(varied(day) for day in days))["overall"]
    truth = np.concatenate([varied(day)["outcome"].to_numpy() for day in days])
    clusters = Clusters(
        np.repeat(np.arange(4), 12),
        np.tile(np.arange(12), 4),
        [FIRST + timedelta(days=day) for day in days],
        7,
    )
    expected = clusters.ratio(np.abs(np.log(11 / truth)), np.abs(np.log(10 / truth)))
    assert expected is not None
    assert found["error"]["value"] == pytest.approx(expected.value)
    assert found["error"]["low"] == pytest.approx(max(expected.low, 0.0))
    assert found["error"]["high"] == pytest.approx(expected.high)
    assert found["periods"] == pytest.approx((1 + 6 + 7 + 7) / 7)
    assert found["coverage"]["value"] == pytest.approx(np.mean((truth >= 9) & (truth <= 12)))
    assert 0 <= found["coverage"]["low"] <= found["coverage"]["high"] <= 1


def test_too_few_periods_have_no_interval(tmp_path: Path) -> None:
    found = summary(tmp_path, varied(0), varied(6))
    assert found["overall"]["error"]["low"] is None
    assert found["overall"]["error"]["value"] > 0
    assert {each["observed_ci"] for each in found["reliability"]} == {None}


def test_too_few_cards_have_no_interval(tmp_path: Path) -> None:
    found = summary(tmp_path, *(varied(day, 9) for day in (0, 7, 14)))
    assert found["overall"]["cards"] == 9
    assert found["overall"]["error"]["high"] is None
    assert {each["observed_ci"] for each in found["reliability"]} == {None}


def test_errors_of_one_card_alone_have_no_interval(tmp_path: Path) -> None:
    tables = []
    for day in (0, 7, 14):
        moved = forecasts(FIRST + timedelta(days=day), 1, fair_price=10.0)
        still = forecasts(FIRST + timedelta(days=day), 12, fair_price=10.0, outcome=10.0)
        tables.append(pa.concat_tables([moved, still.slice(1)]))
    found = summary(tmp_path, *tables)
    assert found["overall"]["error"] == {"value": 1.0, "low": None, "high": None}
    assert found["overall"]["coverage"]["low"] == found["overall"]["coverage"]["high"] == 1.0
    json.dumps(found, allow_nan=False)


def test_every_forecast_is_in_one_month_and_one_version(tmp_path: Path) -> None:
    found = summary(tmp_path, *(varied(day) for day in (0, 5, 11, 12, 25)))
    assert [(each["key"], each["forecasts"]) for each in found["months"]] == [
        ("2026-01", 36),
        ("2026-02", 24),
    ]
    assert [each["key"] for each in found["versions"]] == ["0", "5", "11", "12", "25"]
    assert sum(each["forecasts"] for each in found["price_bands"]) == 60


def test_two_versions_of_one_day(tmp_path: Path) -> None:
    again = forecasts(FIRST, 8, model_version="3")
    found = summary(tmp_path, varied(0), again, varied(14))
    assert found["overall"]["forecasts"] == 32
    assert {each["key"]: each["forecasts"] for each in found["versions"]} == {
        "0": 12,
        "3": 8,
        "14": 12,
    }


def test_reliability_has_error_bars(tmp_path: Path) -> None:
    (bin_,) = summary(tmp_path, *(varied(day) for day in (0, 7, 14)))["reliability"]
    assert (bin_["signal"], bin_["n"], bin_["confidence"]) == ("HOLD", 36, pytest.approx(0.8))
    low, high = bin_["observed_ci"]
    assert 0 <= low < bin_["observed"] < high <= 1


def test_thresholds_are_those_the_signal_was_given_by(tmp_path: Path) -> None:
    wide = forecasts(FIRST, outcome=12.0, buy_threshold_pct=-0.5, sell_threshold_pct=0.5)
    narrow = forecasts(FIRST + timedelta(days=1), outcome=12.0)
    (bin_,) = summary(tmp_path, wide, narrow)["reliability"]
    assert bin_["observed"] == pytest.approx(0.5)


def test_the_worst_misses_name_each_card_once(tmp_path: Path) -> None:
    tables = [varied(day, 30) for day in (0, 1)]
    pennies = forecasts(FIRST + timedelta(days=2), 30, last_price=0.02, outcome=0.9)
    worst = summary(tmp_path, *tables, pennies)["worst_misses"]
    assert len(worst) == WORST == len({each["card_id"] for each in worst})
    misses = [abs(np.log(each["fair_price"] / each["outcome"])) for each in worst]
    assert misses == sorted(misses, reverse=True)
    assert min(each["last_price"] for each in worst) >= 1


def test_unjudged_forecasts_are_counted(tmp_path: Path) -> None:
    found = summary(tmp_path, forecasts(FIRST, outcome=None))["overall"]
    assert (found["forecasts"], found["judged"], found["error"]) == (3, 0, None)
    assert (found["mape"], found["coverage"]) == (None, None)
