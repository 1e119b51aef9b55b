"""Drift on simulated markets: what is planted is noticed within days, and what is not there is not."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from pokewatch.market.sources.simulated_process import Regime
from pokewatch.monitoring.drift import LEAST_REFERENCE, LIMITS, WHY, WINDOW, Shift, measure_drift
from pokewatch.valuation.panel import Panel
from tests.monitoring.markets import START, market
from tests.valuation.panels import panel_of

PLANTED = 70  # day of the panel on which the market changes
DAY = START + timedelta(days=PLANTED)
CHANGES = {
    "volatility": (Regime("volatility", DAY, factor=3.0), "moves"),
    "repriced set": (Regime("reprice", DAY, factor=0.5, set_id="sim002"), "set moves"),
    "frozen": (Regime("freeze", DAY), "unchanged"),
    "frozen set": (Regime("freeze", DAY, set_id="sim002"), "set unchanged"),
}


def alarms(panel: Panel, day: int) -> dict[str, Shift]:
    return {shift.name: shift for shift in measure_drift(panel, day) if shift.degree >= 1}


@pytest.mark.parametrize(("regime", "name"), CHANGES.values(), ids=list(CHANGES))
def test_a_planted_change_is_noticed_within_five_days(regime: Regime, name: str) -> None:
    panel = market(1000, 0, PLANTED + 5, [regime])
    assert not any(alarms(panel, day) for day in range(PLANTED - 5, PLANTED))
    noticed = [day for day in range(PLANTED, PLANTED + 5) if name in alarms(panel, day)]
    assert noticed, {day: measure_drift(panel, day) for day in range(PLANTED, PLANTED + 5)}
    assert alarms(panel, PLANTED + 4)[name].set_id == (regime.set_id or "")


@pytest.mark.parametrize(
    ("cards", "seed", "days"),
    [
        pytest.param(1000, 0, 60, id="60 days"),
        *(
            pytest.param(cards, seed, 180, marks=pytest.mark.slow, id=f"{cards} cards, seed {seed}")
            for cards in (300, 1000)
            for seed in range(3)
        ),
        pytest.param(4000, 7, 180, marks=pytest.mark.slow, id="4000 cards, seed 7"),
    ],
)
def test_quiet_days_raise_at_most_one_alarm(cards: int, seed: int, days: int) -> None:
    first = WINDOW + LEAST_REFERENCE + 28
    panel = market(cards, seed, first + days)
    raised = {day: found for day in range(first, first + days) if (found := alarms(panel, day))}
    assert len(raised) <= 1, raised


def test_a_missing_part_of_the_catalogue_is_drift() -> None:
    panel = market(300, 0, 60)
    panel.market[-4:, :60] = np.nan
    assert set(alarms(panel, 59)) >= {"coverage"}


def test_later_days_change_nothing() -> None:
    panel = market(300, 0, 60, [Regime("freeze", START + timedelta(days=50))])
    assert measure_drift(panel, 49) == measure_drift(panel.up_to(49))


def test_a_change_that_is_known_is_no_drift() -> None:
    panel = market(300, 0, PLANTED + 40, [CHANGES["volatility"][0]])
    known = replace(panel, changed=DAY)
    assert alarms(panel, PLANTED + 6)
    assert measure_drift(known, PLANTED + WINDOW + LEAST_REFERENCE - 1) == []
    assert measure_drift(known, PLANTED + 39)
    assert alarms(known, PLANTED + 39) == {}
    assert measure_drift(known, PLANTED - 1) == measure_drift(panel, PLANTED - 1)


@pytest.mark.parametrize("days", [1, 8, WINDOW + LEAST_REFERENCE - 1], ids=str)
def test_too_little_history_says_nothing(days: int) -> None:
    assert measure_drift(panel_of(np.ones((days, 3)))) == []


def test_prices_that_never_moved_are_no_drift() -> None:
    found = measure_drift(panel_of(np.ones((80, 30)), low=np.ones((80, 30))))
    assert {shift.degree for shift in found} == {0.0}
    assert {shift.name for shift in found} <= set(LIMITS) == set(WHY)


def test_luck_is_no_drift() -> None:
    assert Shift("moves", 0.5, 0.1, 0.01).degree < 1
    assert Shift("moves", 0.5, 0.1, 1e-9).degree == 5.0
