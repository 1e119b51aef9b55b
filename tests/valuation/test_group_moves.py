import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.group_moves import GroupMoves
from tests.valuation.panels import panel_of


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
