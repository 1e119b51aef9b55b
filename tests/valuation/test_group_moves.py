from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pokewatch.valuation.features import stream_features
from pokewatch.valuation.group_moves import GroupMoves
from pokewatch.valuation.panel import Panel
from tests.valuation.panels import START, panel_of


def set_moves(prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the moves of the sets of 30 cards, half of them in each of two, after all days."""
    panel = panel_of(prices, sets=["up"] * 15 + ["flat"] * 15)
    groups, logs = GroupMoves(panel), np.log(panel.market)
    moves = np.concatenate([np.full((1, panel.cards), np.nan), np.diff(logs, axis=0)])
    for day, move in enumerate(moves):
        groups.advance(np.where(panel.fresh[day], move, np.nan), np.ones(panel.cards, np.bool_))
    return groups.features()["set_move_7"]


def test_a_group_moves_by_its_other_cards() -> None:
    prices = np.full((8, 30), 10.0)
    prices[1:, :15] = 11.0
    moved = set_moves(prices)
    assert moved[:15].min() > moved[15:].max() > 0
    alone = np.full((8, 30), 10.0)
    alone[1:, 0] = 11.0
    moved = set_moves(alone)
    assert moved[0] == 0.0
    assert moved[1] > 0.0


def falling_set(released: str | None, cards: int = 60, days: int = 40) -> Panel:
    """Return cards of a set that falls by 1% a day from day 10 on, half quoted on each day."""
    rng = np.random.default_rng(0)
    level = 3.0 - 0.01 * np.maximum(np.arange(days) - 10, 0)[:, None]
    prices = np.exp(level + rng.normal(0, 0.005, (days, cards)))
    prices[rng.random((days, cards)) < 0.5] = np.nan
    prices[:10] = np.nan
    return replace(panel_of(prices), released=np.full(cards, np.datetime64(released or "NaT", "D")))


def drift_of(panel: Panel, day: int) -> NDArray[np.float64]:
    return next(stream_features(panel, [day])).column("release_drift").astype(np.float64)


def test_a_new_set_drifts_as_its_cards_do_and_no_other_set_does() -> None:
    drift = drift_of(falling_set(str(START + 10)), 39)
    assert (drift < -0.005).all()
    assert (drift > -0.01).all()
    for released in (None, str(START - 300), str(START + 50)):
        assert (drift_of(falling_set(released), 39) == 0.0).all()


def test_the_level_follows_the_drift_of_a_new_set() -> None:
    """A level that lags behind a fall would expect the cards to recover."""
    lags = []
    for released in (str(START + 10), None):
        found = next(stream_features(falling_set(released), [39]))
        lags.append(float(np.nanmean(found.column("level_0.01"))))
    assert lags[1] > 0.03
    assert abs(lags[0]) < 0.5 * lags[1]


def test_later_days_do_not_change_the_drift() -> None:
    panel = falling_set(str(START + 10))
    np.testing.assert_array_equal(drift_of(panel, 25), drift_of(panel.up_to(25), 25))


def test_the_index_of_a_group_follows_its_other_cards() -> None:
    groups = GroupMoves(panel_of(np.ones((1, 40)), sets=["a"] * 20 + ["b"] * 20))
    groups.advance(np.repeat([0.1, np.nan], 20), np.ones(40, dtype=np.bool_))
    found = groups.features()["set_move_7"]
    assert (found[:20] > found[20:]).all()
    assert groups.index[0] == pytest.approx(0.05, abs=0.01)  # half of the cards moved


def test_a_single_card_counts_for_no_more_than_its_limit() -> None:
    moves = []
    for move in (0.25, 5.0):
        groups = GroupMoves(panel_of(np.ones((1, 5))))
        groups.advance(np.array([move, np.nan, np.nan, np.nan, np.nan]), np.ones(5, dtype=np.bool_))
        moves.append(groups.index)
    np.testing.assert_array_equal(moves[0], moves[1])
