import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pokewatch.decision import FEES, Thresholds
from pokewatch.errors import ValuationError
from pokewatch.valuation.backtest.runner import (
    backtest_file,
    backtest_panel,
    backtest_valued,
    first_signal_day,
    signal_days,
    trade_quotes,
)
from pokewatch.valuation.intervals import OK
from pokewatch.valuation.models import create
from pokewatch.valuation.valued_days import valued_days
from tests.cli.commands import run_json
from tests.valuation.panels import long_table, market_like, panel_of

LOOSE = Thresholds(-0.02, 0.03)


@pytest.mark.parametrize(
    ("days", "horizon", "first"), [(400, 7, 200), (80, 7, 20), (36, 7, 7), (36, 14, 14), (20, 7, 7)]
)
def test_signals_start_late_in_a_long_panel(days: int, horizon: int, first: int) -> None:
    assert first_signal_day(days, horizon) == first


@pytest.mark.parametrize(("days", "horizon"), [(19, 7), (36, 16)])
def test_a_panel_too_short_for_a_trade_to_finish(days: int, horizon: int) -> None:
    with pytest.raises(
        ValuationError,
        match=f"of {horizon} days: {days} days of prices, at least {2 * horizon + 6} are needed",
    ):
        first_signal_day(days, horizon)


def test_each_day_uses_only_what_was_known_on_it() -> None:
    panel = panel_of(market_like(40, 30))
    estimates = signal_days(panel, "median7", 7, first=20)
    assert estimates.fair.shape == (20, 30)
    shorter = signal_days(panel.up_to(30), "median7", 7, first=20)
    np.testing.assert_array_equal(estimates.fair[:11], shorter.fair)
    np.testing.assert_array_equal(estimates.lower[:11], shorter.lower)
    np.testing.assert_array_equal(estimates.ok[:11], shorter.ok)
    day = create("median7", 7).fit(panel.up_to(30)).value(panel, 30)
    quoted = np.isfinite(panel.market[30])
    np.testing.assert_allclose(estimates.fair[10, quoted], day.fair[quoted])
    np.testing.assert_array_equal(estimates.ok[10], day.status == OK)


def test_cards_under_the_minimum_price_are_left_out() -> None:
    panel = panel_of(market_like(40, 30))
    estimates = signal_days(panel, "rolling_mean", 7, first=20, min_price=5.0)
    known = np.isfinite(estimates.fair)
    assert known.any()
    assert (panel.market[20:][known] >= 5.0).all()


def test_a_backtest_without_a_price_to_judge_is_refused() -> None:
    panel = panel_of(market_like(40, 30))
    with pytest.raises(
        ValuationError,
        match="no card has a price at or above 100000 from 2025-01-13 to 2025-02-14, the days of",
    ):
        backtest_panel(panel, "last", 7, FEES["tcgplayer"], min_price=100_000)


def test_progress_is_the_share_of_days_valued() -> None:
    seen: list[float] = []
    signal_days(panel_of(market_like(30, 20)), "last", 7, 20, progress=seen.append)
    assert seen == pytest.approx([day / 10 for day in range(1, 11)])


def test_policies_are_compared_on_the_same_days() -> None:
    panel = panel_of(market_like(60, 60))
    threshold, net_of_fees = backtest_panel(
        panel, "median7", 7, FEES["cardmarket"], thresholds=LOOSE, draws=20
    )
    assert (threshold.policy, net_of_fees.policy) == ("threshold", "net_of_fees")
    assert threshold.followed.trades > 0
    assert net_of_fees.signals < threshold.signals
    assert threshold.buy_everything == net_of_fees.buy_everything


def test_a_file_is_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    pq.write_table(long_table(market_like(40, 20)), path)
    (made,) = backtest_file(path, "rolling_mean", 7, "ebay", 0.5, policies=("threshold",), draws=5)
    json.dumps(made, allow_nan=False)
    assert made["model"] == "rolling_mean"
    assert (made["fees"], made["currency"], made["postage"]) == ("ebay", "USD", 0.5)
    assert made["asks"] == 0.0  # a file without the lowest asks
    assert len(made["dates"]) == len(made["curve"]["equity"]) == 33


def test_a_policy_named_twice_is_followed_once(tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    pq.write_table(long_table(market_like(40, 20)), path)
    options = ("--policy", "net_of_fees", "--policy", "net_of_fees", "--model", "rolling_mean")
    (found,) = run_json("backtest", "--prices", str(path), *options)
    assert found["policy"] == "net_of_fees"


def test_fees_are_those_of_the_currency_of_a_file(tmp_path: Path) -> None:
    table = long_table(market_like(40, 20))
    euros = tmp_path / "euros.parquet"
    pq.write_table(table.append_column("currency", pa.array(["EUR"] * len(table))), euros)
    (made,) = backtest_file(euros, "rolling_mean", 7, policies=("threshold",), draws=5)
    assert (made["fees"], made["currency"], made["postage"]) == ("cardmarket", "EUR", 1.25)
    with pytest.raises(ValueError, match="of ebay are in USD, the prices in EUR: use cardmarket"):
        backtest_file(euros, "rolling_mean", 7, "ebay")
    mixed = tmp_path / "mixed.parquet"
    cards = table["card_id"].to_pylist()
    currency = pa.array(["EUR" if card == cards[0] else "USD" for card in cards])
    pq.write_table(table.append_column("currency", currency), mixed)
    with pytest.raises(ValuationError, match="prices in EUR and USD: backtest one currency"):
        backtest_file(mixed, "rolling_mean", 7)


def test_the_lowest_ask_and_the_volatility_of_all_days_are_used() -> None:
    panel = panel_of(market_like(60, 60))
    above_market = replace(panel, low=np.asarray(panel.market) * 1.5)
    quotes = trade_quotes(above_market, 20)
    np.testing.assert_array_equal(quotes.purchase_prices(), 1.5 * np.asarray(panel.market)[20:])
    assert quotes.volatility is not None
    assert np.isfinite(quotes.volatility[0]).any()
    options: dict[str, Any] = {"policies": ("threshold",), "thresholds": LOOSE, "draws": 5}
    (usual,) = backtest_panel(panel, "median7", 7, FEES["tcgplayer"], **options)
    (costly,) = backtest_panel(above_market, "median7", 7, FEES["tcgplayer"], **options)
    assert costly.followed.trades == usual.followed.trades > 0
    assert (usual.asks, costly.asks) == (0.0, 1.0)
    assert costly.followed.mean_net < usual.followed.mean_net - 0.2
    assert costly.sham_same_day == usual.sham_same_day


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(ValueError, match="got 'oracle'"):
        backtest_panel(panel_of(market_like(40, 5)), "oracle", 7, FEES["ebay"])


def test_valued_days_are_backtested_as_the_panel_is() -> None:
    panel = panel_of(market_like(70, 30))
    first = first_signal_day(panel.days, 7)
    valued = valued_days(create("median7", 7).fit(panel), panel, panel.days - first)
    min_price = float(np.median(panel.market[np.isfinite(panel.market)]))
    found = backtest_valued(panel, valued, 7, FEES["tcgplayer"], min_price, max_cards=30)
    expected = backtest_panel(panel, "median7", 7, FEES["tcgplayer"], min_price=min_price)
    assert [each.buy_everything.trades for each in found] == [
        each.buy_everything.trades for each in expected
    ]
    assert found[0].buy_everything.trades > 0
    assert (
        len(backtest_valued(panel, valued, 7, FEES["tcgplayer"], min_price, max_cards=3)[0].dates)
        == panel.days - first
    )


def test_nothing_is_backtested_without_enough_days_or_eligible_cards() -> None:
    panel = panel_of(market_like(70, 30))
    valued = valued_days(create("median7", 7).fit(panel), panel, 19)
    assert backtest_valued(panel, valued, 7, FEES["tcgplayer"], 0.0, max_cards=30) == []
    longer = valued_days(create("median7", 7).fit(panel), panel, 40)
    assert backtest_valued(panel, longer, 7, FEES["tcgplayer"], 1e9, max_cards=30) == []
