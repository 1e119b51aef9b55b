"""Drift on real prices: what a market does anyway is none, and what is planted in it is noticed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pokewatch.monitoring.drift import measure_drift
from pokewatch.valuation.panel import Panel, fresh_quotes
from pokewatch.valuation.panel_file import read_panel

SET = "swshp"  # of Cardmarket, the one with most cards
GAPS = {
    "2025-12-01",
    "2025-12-02",
    "2025-12-03",
    "2025-12-04",
    "2025-12-05",
    "2025-12-06",
    "2025-12-07",
    "2026-01-30",
    "2026-01-31",
}


@pytest.fixture(scope="module")
def cardmarket(shared_data: Path) -> Panel:
    return read_panel(shared_data / "cardmarket_daily.parquet")


def alarms(panel: Panel, days: range) -> dict[str, set[str]]:
    """The names of what drifts, by day."""
    found = {
        str(panel.dates[day]): {
            shift.name for shift in measure_drift(panel, day) if shift.degree >= 1
        }
        for day in days
    }
    return {day: names for day, names in found.items() if names}


def test_cardmarket_drifts_only_where_most_cards_are_missing_for_days(cardmarket: Panel) -> None:
    """On those days, from the fourth on, a tenth to two thirds of the cards have a quote."""
    assert alarms(cardmarket, range(cardmarket.days)) == {day: {"coverage"} for day in sorted(GAPS)}


@pytest.mark.slow
def test_tcgplayer_is_quiet(shared_data: Path) -> None:
    panel = read_panel(shared_data / "tcgcsv_daily.parquet")
    assert alarms(panel, range(panel.days)) == {}


def noticed(cardmarket: Panel, market: NDArray[np.float64], day: int, name: str) -> bool:
    changed = replace(cardmarket, market=market, fresh=fresh_quotes(market), stale=None, low=None)
    return any(name in names for names in alarms(changed, range(day, day + 5)).values())


def known(panel: Panel, day: int) -> NDArray[np.float64]:
    """[n]: the last quote of each card before the day."""
    quoted = np.isfinite(panel.market[:day])
    last = np.where(quoted, np.arange(day)[:, None], 0).max(axis=0)
    found: NDArray[np.float64] = panel.market[last, np.arange(panel.cards)]
    return found


@pytest.mark.parametrize("day", [35, 47, 59, 71, 83, 95, 107])
def test_changes_planted_in_cardmarket_are_found_within_five_days(
    cardmarket: Panel, day: int
) -> None:
    before = known(cardmarket, day)
    frozen, wild, cheap = (np.array(cardmarket.market) for _ in range(3))
    frozen[day:] = np.where(np.isfinite(frozen[day:]), before, np.nan)
    assert noticed(cardmarket, frozen, day, "unchanged")
    wild[day:] = before * (wild[day:] / before) ** 3
    assert noticed(cardmarket, wild, day, "moves")
    # a card takes its new price with its next quote that is fresh
    renewed = np.maximum.accumulate(cardmarket.fresh[day:] & (cardmarket.set_id == SET), axis=0)
    cheap[day:] *= np.where(renewed, 0.5, 1.0)
    assert noticed(cardmarket, cheap, day, "set moves")
