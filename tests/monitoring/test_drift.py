"""Drift on simulated markets: changes are found within days, and quiet markets are quiet."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from pokewatch.market.sources.simulated_process import Regime
from pokewatch.monitoring.drift import (
    FLOORS,
    MIN_REFERENCE,
    REFERENCE,
    RUN,
    WEEK,
    WHY,
    Shift,
    measure_drift,
)
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


SEEDS = [
    (300, 0),
    *(
        pytest.param(cards, seed, marks=pytest.mark.slow)
        for cards in (300, 1000)
        for seed in range(5)
        if (cards, seed) != (300, 0)
    ),
]


def alarms(panel: Panel, day: int) -> dict[str, Shift]:
    return {shift.name: shift for shift in measure_drift(panel, day) if shift.degree >= 1}


@pytest.mark.parametrize(("cards", "seed"), SEEDS)
@pytest.mark.parametrize(("regime", "name"), CHANGES.values(), ids=list(CHANGES))
def test_a_planted_change_is_found_within_five_days(
    regime: Regime, name: str, cards: int, seed: int
) -> None:
    panel = market(cards, seed, PLANTED + 5, [regime])
    assert not any(alarms(panel, day) for day in range(PLANTED - 5, PLANTED))
    noticed = [day for day in range(PLANTED, PLANTED + 5) if name in alarms(panel, day)]
    assert noticed, {day: measure_drift(panel, day) for day in range(PLANTED, PLANTED + 5)}
    assert alarms(panel, PLANTED + 4)[name].set_id == (regime.set_id or "")


@pytest.mark.parametrize(
    ("cards", "seed"),
    [
        *(pytest.param(300, seed, marks=pytest.mark.slow) for seed in range(6)),
        *(pytest.param(1000, seed, marks=pytest.mark.slow) for seed in range(5)),
        pytest.param(4000, 7, marks=pytest.mark.slow),
    ],
)
def test_180_quiet_days_raise_at_most_one_alarm(cards: int, seed: int) -> None:
    panel = market(cards, seed, REFERENCE + 180)
    raised = {
        day: found for day in range(REFERENCE, REFERENCE + 180) if (found := alarms(panel, day))
    }
    assert len(raised) <= 1, raised


def restless(days: int, seed: int) -> NDArray[np.float64]:
    """Quotes [d, 200] of a market with very different days, some without any move."""
    rng = np.random.default_rng(seed)
    renewed = (
        rng.random((days, 200))
        < np.where(rng.random(days) < 0.05, 0.0, rng.uniform(0.3, 0.7, days))[:, None]
    )
    size = 0.03 * np.exp(rng.laplace(0.0, 0.4, days))[:, None]
    return np.asarray(
        np.exp(3.0 + np.cumsum(np.where(renewed, rng.laplace(0.0, size, (days, 200)), 0.0), axis=0))
    )


@pytest.mark.parametrize("seed", range(3))
def test_usual_variation_of_a_market_is_no_drift(seed: int) -> None:
    quotes = restless(REFERENCE + 180, seed)
    panel = panel_of(quotes)
    raised = {day: found for day in range(REFERENCE, panel.days) if (found := alarms(panel, day))}
    assert len(raised) <= 1, raised
    quotes[PLANTED:] = quotes[PLANTED - 1]
    assert "unchanged" in alarms(panel_of(quotes), PLANTED + 4)


@pytest.mark.parametrize(
    ("days", "drifts"),
    [(1, False), (RUN - 1, False), (RUN, True)],
    ids=["odd day", "three", "four"],
)
def test_odd_days_are_drift_once_they_are_four(days: int, drifts: bool) -> None:
    panel = market(300, 0, PLANTED, [Regime("freeze", START + timedelta(days=PLANTED - days))])
    assert ("unchanged" in alarms(panel, PLANTED - 1)) is drifts


def interrupted(days: int, missing: slice, decline: float = 0.0) -> Panel:
    """Return a panel of 100 cards without prices on the `missing` days.

    The 30 cards of the first of its three sets lose `decline`, on the log price, each day.
    """
    rng = np.random.default_rng(0)
    moves = np.where(rng.random((days, 100)) < 0.5, rng.laplace(0.0, 0.03, (days, 100)), 0.0)
    moves[:, :30] -= decline
    quotes = np.exp(3.0 + np.cumsum(moves, axis=0))
    quotes[missing] = np.nan
    return panel_of(quotes, sets=["a"] * 30 + ["b"] * 30 + ["c"] * 40)


@pytest.mark.parametrize("gap", [7, 30])
def test_days_that_are_compared_with_a_week_without_prices_are_judged(gap: int) -> None:
    """No card then has a price both then and now, so that no set is judged by its own cards."""
    panel = interrupted(120 + gap, slice(60, 60 + gap))
    for day in range(120, panel.days):
        assert {"moves", "unchanged", "coverage"} <= {s.name for s in measure_drift(panel, day)}
        assert alarms(panel, day) == {}


@pytest.mark.parametrize("gap", [6, 7, 8, 9, 10])
def test_prices_that_are_back_after_a_break_are_no_drift(gap: int) -> None:
    panel = interrupted(62 + gap, slice(60, 60 + gap))
    assert "coverage" in alarms(panel, 60 + RUN - 1), "while they are missing"
    assert alarms(panel, 60 + gap) == alarms(panel, 61 + gap) == {}


def test_the_move_of_a_set_over_a_month_without_prices_is_no_weekly_move() -> None:
    """The set falls by 7% a week, and by 27% until the first prices after the break."""
    panel = interrupted(60 + 30 + 10, slice(60, 90), decline=0.01)
    assert [alarms(panel, day) for day in range(90, panel.days)] == [{}] * 10


def test_a_set_that_falls_is_found_where_prices_come_every_fourth_day() -> None:
    panel = interrupted(80, slice(0))
    prices = np.array(panel.market)
    prices[70:, :30] *= 0.5
    prices[np.arange(80) % 4 > 0] = np.nan
    assert alarms(replace(panel, market=prices), 76)["set moves"].set_id == "a"


def test_a_set_among_three_is_three_times_as_likely_to_shift_by_chance() -> None:
    panel = interrupted(80, slice(0))
    prices = np.array(panel.market)
    prices[76:, :30] *= 0.78
    fallen = replace(panel, market=prices)
    alone, among = (
        alarms(each, 79)["set moves"] for each in (fallen.select(np.arange(30)), fallen)
    )
    assert alone.set_id == among.set_id == "a"
    assert among.p_value == pytest.approx(3 * alone.p_value, abs=0)
    assert alone.p_value > 0


def test_a_missing_part_of_the_catalogue_is_drift() -> None:
    panel = market(300, 0, 60)
    prices = np.array(panel.market)
    prices[-4:, :60] = np.nan
    assert set(alarms(replace(panel, market=prices), 59)) >= {"coverage"}


def test_later_days_change_nothing() -> None:
    panel = market(300, 0, 60, [Regime("freeze", START + timedelta(days=50))])
    assert measure_drift(panel, 49) == measure_drift(panel.up_to(49))


def test_a_known_change_is_no_drift() -> None:
    panel = market(300, 0, PLANTED + 40, [CHANGES["volatility"][0]])
    known = replace(panel, changed=DAY)
    assert alarms(panel, PLANTED + 6)
    assert measure_drift(known, PLANTED + WEEK + MIN_REFERENCE - 1) == []
    assert measure_drift(known, PLANTED + 39)
    assert alarms(known, PLANTED + 39) == {}
    assert measure_drift(known, PLANTED - 1) == measure_drift(panel, PLANTED - 1)


@pytest.mark.parametrize("days", [1, 8, WEEK + MIN_REFERENCE], ids=str)
def test_too_little_history_is_not_judged(days: int) -> None:
    assert measure_drift(panel_of(np.ones((days, 3)))) == []


def test_prices_that_never_moved_are_no_drift() -> None:
    found = measure_drift(panel_of(np.ones((80, 30)), low=np.ones((80, 30))))
    assert {shift.degree for shift in found} == {0.0}
    assert {shift.name for shift in found} <= set(FLOORS) == set(WHY)


def test_chance_is_no_drift() -> None:
    assert Shift("moves", 0.5, 0.1, 0.01).degree < 1
    assert Shift("moves", 0.5, 0.1, 1e-9).degree == 5.0
