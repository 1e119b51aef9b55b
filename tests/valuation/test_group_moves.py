import numpy as np
import pytest

from pokewatch.valuation.group_moves import GroupMoves
from tests.valuation.panels import panel_of


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
