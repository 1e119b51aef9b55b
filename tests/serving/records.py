"""Small deterministic track records."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pokewatch.decision import fees_for
from pokewatch.monitoring.record_backtest import earnings
from pokewatch.monitoring.record_summary import summarize
from pokewatch.monitoring.resolved_forecasts import read_resolved
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.track_record import (
    FORECAST_SCHEMA,
    Issue,
    TrackRecord,
    add_issues,
    write_record,
)
from tests.valuation.panels import long_table, panel_from

FIRST_DAY = date(2025, 10, 1)
CHECK = {
    "name": "drift of moves",
    "actual": "0.900",
    "wanted": "< 0.25",
    "why": "prices move more, or less, than before",
}


def make_record(
    folder: Path,
    days: Sequence[int],
    count: int = 40,
    names: Mapping[int, str] | None = None,
    failed_checks: Sequence[Mapping[str, str]] = (),
    experiments: Sequence[Mapping[str, Any]] = (),
) -> TrackRecord:
    """Write a record of forecasts issued on `days` after FIRST_DAY, a version for each.

    Card i is `card_i` of `tests.serving.books`; its prices are a random walk from i + 1. The last
    issue is still open.
    """
    market = walks(count, max(days) + 7)
    tables = [issued(market, day, number, names or {}) for number, day in enumerate(days, 1)]
    resolved = tables[:-1]
    files = add_issues(folder, (), resolved)
    panel = panel_of(market)
    found = read_resolved(folder, files, "USD")
    fees = fees_for("USD", "tcgplayer", 0.0)
    horizons = [
        {**summary, "backtests": earnings(panel, each, fees)}
        for each, summary in zip(found, summarize(found), strict=True)
    ]
    issues = [
        Issue(
            model_version=str(number),
            model="local_level",
            digest="d" * 64,
            issued_on=FIRST_DAY + timedelta(days=day),
            due_on=FIRST_DAY + timedelta(days=day + 7),
            horizon=7,
            forecasts=count,
            unvalued=1,
            resolved=number < len(days),
        )
        for number, day in enumerate(days, 1)
    ]
    summary = {
        "horizons": horizons,
        "failed_checks": [dict(check) for check in failed_checks],
        "experiments": [dict(each) for each in experiments],
    }
    measured_on = FIRST_DAY + timedelta(days=max(days) + 6)
    record = TrackRecord("simulated", "USD", measured_on, 0, tuple(issues), files, summary)
    write_record(folder, record)
    return record


def walks(count: int, days: int) -> np.ndarray:
    """Return prices [days, count] in cents."""
    random = np.random.default_rng(7)
    moves = random.normal(0, 0.03, (days, count)) * (random.random((days, count)) < 0.5)
    prices: np.ndarray = np.arange(1.0, count + 1) * np.exp(moves.cumsum(axis=0))
    return np.maximum(np.round(prices, 2), 0.01)


def panel_of(market: np.ndarray) -> Panel:
    table = long_table(market, start=np.datetime64(FIRST_DAY))
    ids = [f"tcgplayer-{int(card[1:])}-normal" for card in table["card_id"].to_pylist()]
    return panel_from(table.set_column(0, "card_id", [ids]))


def issued(market: np.ndarray, day: int, version: int, names: Mapping[int, str]) -> pa.Table:
    random = np.random.default_rng(day)
    count = market.shape[1]
    last = market[day]
    fair = last * np.exp(random.normal(0, 0.06, count))
    outcome = market[day + 7] if day + 7 < len(market) else np.full(count, np.nan)
    outcome = np.where(random.random(count) < 0.05, np.nan, outcome)
    deviation = last / fair - 1
    signals = np.where(deviation <= -0.1, "BUY", np.where(deviation >= 0.15, "SELL", "HOLD"))
    days = {"issued_on": day, "due_on": day + 7}
    columns = {
        **{name: [FIRST_DAY + timedelta(days=at)] * count for name, at in days.items()},
        "horizon": [7] * count,
        "model_version": [str(version)] * count,
        "model": ["local_level"] * count,
        "source": ["simulated"] * count,
        "currency": ["USD"] * count,
        "card_id": [f"tcgplayer-{i}-normal" for i in range(count)],
        "slug": [f"card_{i}" for i in range(count)],
        "name": [names.get(i, f"Pokémon {i}") for i in range(count)],
        "set_name": [f"Set {i // 10}" for i in range(count)],
        "last_price": last,
        "fair_price": fair,
        "lower": fair * 0.88,
        "upper": fair * 1.14,
        "median7": last,
        "status": ["ok"] * count,
        "liquidity": ["slow"] * count,
        "signal": signals.tolist(),
        "confidence": np.round(0.5 + 0.5 * random.random(count), 3),
        "buy_threshold_pct": [-0.1] * count,
        "sell_threshold_pct": [0.15] * count,
        "outcome": pa.array(outcome, mask=np.isnan(outcome)),
        "renewed": [True] * count,
    }
    return pa.table(columns, FORECAST_SCHEMA)
