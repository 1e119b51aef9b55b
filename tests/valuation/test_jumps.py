"""Which quotes await confirmation, and until when."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pokewatch.valuation.jumps import Jumps, find_jumps
from pokewatch.valuation.panel import Panel
from tests.valuation.panels import market_like, panel_of

Prices = NDArray[np.float64]
CARD = 7


def calm(days: int = 60, cards: int = 40) -> Prices:
    """Return prices of cards from $5 on that move a little every day."""
    moves = np.random.default_rng(5).normal(0.0, 0.01, (days, cards))
    return np.asarray(np.round((5.0 + np.arange(cards)) * np.exp(np.cumsum(moves, axis=0)), 2))


def with_quotes(prices: Prices, quotes: list[float], card: int = CARD) -> Panel:
    """Return the panel in which a card was quoted `quotes` times its price on the last days."""
    planted = prices.copy()
    planted[len(planted) - len(quotes) :, card] = np.multiply(
        prices[len(planted) - len(quotes) - 1, card], quotes
    )
    return panel_of(planted)


def only(jumps: Jumps) -> Jumps:
    assert jumps.card.tolist() == [CARD]
    return jumps


@pytest.mark.parametrize("factor", [100.0, 0.01, 1.95, 0.5, 1 / 3000], ids=lambda f: f"x{f:.4g}")
def test_a_quote_far_off_awaits_confirmation(factor: float) -> None:
    found = only(find_jumps(with_quotes(calm(), [factor])))
    assert (found.start.tolist(), found.end.tolist()) == ([59], [60])
    assert found.move[0] == pytest.approx(np.log(factor), abs=0.01)
    assert np.exp(found.before[0]) == pytest.approx(calm()[58, CARD])


@pytest.mark.parametrize("factor", [1.3, 0.7])
def test_a_move_within_the_limits_does_not(factor: float) -> None:
    assert len(find_jumps(with_quotes(calm(), [factor])).card) == 0


def test_a_restless_card_is_allowed_more() -> None:
    prices = calm()
    prices[1::2, CARD] *= 1.3
    assert len(find_jumps(with_quotes(prices, [2.2])).card) == 0
    extreme = only(find_jumps(with_quotes(prices, [0.01])))
    assert not extreme.doubtful.any()
    assert only(find_jumps(with_quotes(calm(), [0.01]))).doubtful.all()


@pytest.mark.parametrize(("factor", "quotes"), [(2.5, 2), (0.4, 2), (100.0, 3), (0.01, 3)])
def test_fresh_quotes_confirm_a_true_move(factor: float, quotes: int) -> None:
    level = [factor * (1 + 0.01 * number) for number in range(5)]
    found = only(find_jumps(with_quotes(100 * calm(), level)))
    assert found.confirmed.all()
    assert found.end.tolist() == [55 + quotes - 1]


def test_a_repeated_quote_confirms_nothing() -> None:
    found = only(find_jumps(with_quotes(calm(), [100.0] * 10)))
    assert (found.start.tolist(), found.end.tolist()) == ([50], [60])


@pytest.mark.parametrize("last", [1.01, 0.98])
def test_a_return_shows_an_error(last: float) -> None:
    found = only(find_jumps(with_quotes(calm(), [100.0, last])))
    assert (found.start.tolist(), found.end.tolist()) == ([58], [59])
    assert not found.confirmed.any()
    assert len(found.errors(58).card) == 0
    assert len(found.errors(59).card) == 1


def test_a_second_error_replaces_the_first() -> None:
    found = find_jumps(with_quotes(calm(), [100.0, 0.01]))
    assert found.start.tolist() == [58, 59]
    assert found.end.tolist() == [59, 60]
    assert found.before[0] == found.before[1]


def test_an_error_after_a_repeated_jump_is_a_jump_from_there() -> None:
    found = find_jumps(with_quotes(calm(), [4.0, 4.0, 0.01]))
    assert found.confirmed.tolist() == [True, False]
    assert found.end.tolist() == [59, 60]
    assert np.exp(found.before[1] - found.before[0]) == pytest.approx(4.0)


def test_a_set_that_moves_as_a_whole_is_followed() -> None:
    prices = calm()
    prices[-1] *= 2.5
    assert len(find_jumps(panel_of(prices)).card) == 0
    assert len(find_jumps(panel_of(prices, sets=[f"s{at % 20}" for at in range(40)])).card) == 40


def test_an_ask_that_rose_too_confirms_at_once() -> None:
    prices, asks = calm(), 0.95 * calm()
    prices[-1, CARD] *= 2.5
    assert find_jumps(panel_of(prices, low=asks)).card.tolist() == [CARD]
    asks[-1, CARD] *= 2.4
    assert len(find_jumps(panel_of(prices, low=asks)).card) == 0


def printings(prices: Prices) -> Panel:
    """Return a panel whose cards are the two printings of half as many products."""
    panel = panel_of(prices)
    names = ["Normal", "Reverse Holofoil"] * (panel.cards // 2)
    slugs = ["normal", "reverse-holofoil"] * (panel.cards // 2)
    ids = [f"p{number // 2:03d}-{slug}" for number, slug in enumerate(slugs)]
    return replace(panel, card_id=np.array(ids), printing=np.array(names))


@pytest.mark.parametrize("ratio", [1.2, 1.6, 4.0])
def test_exchanged_printings_await_confirmation_whatever_their_ratio(ratio: float) -> None:
    prices = calm()
    prices[:, 1::2] = 3 * prices[:, ::2]
    prices[:, 9] = ratio * prices[:, 8]
    prices[-1, [8, 9]] = 1.01 * prices[-2, [9, 8]]
    found = find_jumps(printings(prices))
    assert found.card.tolist() == [8, 9]
    assert found.doubtful.all()
    prices[-1, 8] = prices[-2, 8]
    assert not find_jumps(printings(prices)).doubtful.any()


def pair_on_the_last_day(first: list[float], second: list[float]) -> Jumps:
    """Return the jumps where two printings were quoted these prices on the last days."""
    prices = calm()
    prices[:, 1::2] = 3 * prices[:, ::2]
    prices[:, 8], prices[:, 9] = first[0], second[0]
    prices[-len(first) :, 8], prices[-len(second) :, 9] = first, second
    return find_jumps(printings(prices))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param([2.0, 2.61], [2.6, 2.2], id="one printing moved on the day of the exchange"),
        pytest.param([2.0, 3.4], [2.0, 2.0, 3.4, 2.0], id="to a first quote that awaits"),
        pytest.param([2.0, 9.0], [2.0, 2.0, 9.0, 9.0, 2.0], id="to a repeated one that awaits"),
        pytest.param([2.0, 1.6], [2.6, 2.0], id="only one price is the other's, to the cent"),
    ],
)
def test_an_exchange_of_printings_is_seen(first: list[float], second: list[float]) -> None:
    waiting = pair_on_the_last_day(first, second)
    waiting = waiting.select(waiting.end == 60)
    assert waiting.card.tolist() == [8, 9]
    assert waiting.start.tolist() == [59, 59]
    assert waiting.doubtful.all()
    assert np.exp(waiting.before) == pytest.approx([first[-2], second[-2]])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param([2.0, 2.6], [2.6, 2.6], id="the other did not move"),
        pytest.param([0.5, 0.4], [0.6, 0.5], id="cheap cards often share a price"),
        pytest.param([2.0, 2.3], [2.6, 2.5], id="they draw nearer"),
    ],
)
def test_two_printings_that_move_are_not_exchanged(first: list[float], second: list[float]) -> None:
    assert len(pair_on_the_last_day(first, second).card) == 0


@pytest.mark.parametrize(("price", "quotes"), [(200.0, 1), (200.0, 2), (6.0, 1)])
def test_an_error_that_passes_from_one_printing_to_the_other_stays_one(
    price: float, quotes: int
) -> None:
    found = pair_on_the_last_day([2.0] + [price] * quotes + [2.0], [2.2] * (quotes + 1) + [price])
    assert found.card.tolist() == [8, 9]
    assert found.confirmed.tolist() == [False, False]
    assert found.end.tolist() == [59, 60]


def test_printings_that_return_from_an_exchange_show_it_to_be_an_error() -> None:
    found = pair_on_the_last_day([2.0, 3.0, 3.0, 2.0], [3.0, 2.0, 2.0, 3.0])
    assert found.card.tolist() == [8, 9]
    assert found.end.tolist() == [59, 59]
    assert not found.confirmed.any()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cut=st.integers(1, 29),
    planted=st.lists(
        st.tuples(st.integers(0, 29), st.integers(0, 11), st.sampled_from([100, 0.01, 2.5])),
        max_size=8,
    ),
)
def test_later_days_change_no_earlier_jump(
    seed: int, cut: int, planted: list[tuple[int, int, float]]
) -> None:
    prices = market_like(30, 12, seed)
    for day, card, factor in planted:
        prices[day, card] *= factor
    panel = panel_of(prices)
    whole, part = find_jumps(panel), find_jumps(panel.up_to(cut - 1))
    known = whole.select(whole.start < cut)
    for field in fields(Jumps):
        expected = getattr(known, field.name)
        if field.name == "end":
            expected = np.minimum(expected, cut)
        if field.name == "confirmed":
            expected = expected & (known.end < cut)
        np.testing.assert_array_equal(getattr(part, field.name), expected, field.name)
    assert (whole.start < whole.end).all()
