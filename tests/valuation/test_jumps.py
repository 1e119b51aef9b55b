from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pokewatch.valuation.book import STATUSES
from pokewatch.valuation.intervals import OK, UNCONFIRMED_JUMP
from pokewatch.valuation.jumps import CONFIRMING
from pokewatch.valuation.models import create
from pokewatch.valuation.models.model import Model, Values
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.panel_file import read_panel
from tests.valuation.panels import panel_of

Prices = NDArray[np.float64]
HORIZON = 7


def calm(days: int = 60, cards: int = 40) -> Prices:
    """Prices of cards from $5 on that move a little every day."""
    moves = np.random.default_rng(5).normal(0.0, 0.01, (days, cards))
    return np.asarray(np.round((5.0 + np.arange(cards)) * np.exp(np.cumsum(moves, axis=0)), 2))


def fitted(prices: Prices) -> tuple[Panel, Model]:
    panel = panel_of(prices)
    return panel, create("local_level", HORIZON).fit(panel)


def values_with(prices: Prices, card: int, quotes: list[float], model: Model) -> Values:
    """Return the values on the last day, after a card was quoted `quotes` on the last days."""
    planted = prices.copy()
    planted[len(planted) - len(quotes) :, card] = quotes
    panel = panel_of(planted)
    return model.value(panel, panel.days - 1)


def half_width(values: Values, card: int) -> float:
    return float(values.upper[card] - values.lower[card]) / 2


@pytest.mark.parametrize("factor", [100.0, 0.01, 2.5, 0.4, 1 / 3000], ids=lambda f: f"x{f:.4g}")
def test_a_quote_far_off_awaits_confirmation(factor: float) -> None:
    prices = calm()
    panel, model = fitted(prices)
    before = model.value(panel, panel.days - 1)
    last = float(prices[-1, 7])
    found = values_with(prices, 7, [last * factor], model)
    assert found.status[7] == UNCONFIRMED_JUMP
    assert abs(found.fair[7] - before.fair[7]) <= half_width(found, 7)
    low, high = sorted((last, last * factor))
    assert found.lower[7] <= low <= high <= found.upper[7]
    others = np.arange(len(found.fair)) != 7
    np.testing.assert_array_equal(found.status[others], before.status[others])


def test_fresh_quotes_confirm_a_true_move() -> None:
    prices = calm()
    _, model = fitted(prices)
    level = 2.5 * float(prices[-1, 7])
    quotes = [level * (1 + 0.004 * at) for at in range(CONFIRMING + 1)]
    for count in range(1, CONFIRMING + 1):
        assert values_with(prices, 7, quotes[:count], model).status[7] == UNCONFIRMED_JUMP
    found = values_with(prices, 7, quotes, model)
    assert found.status[7] == OK
    assert found.fair[7] == pytest.approx(quotes[-1], rel=0.1)


def test_a_repeated_quote_confirms_nothing() -> None:
    prices = calm()
    _, model = fitted(prices)
    found = values_with(prices, 7, [100 * float(prices[-1, 7])] * 10, model)
    assert found.status[7] == UNCONFIRMED_JUMP


def test_a_return_to_the_level_ends_the_wait() -> None:
    prices = calm()
    _, model = fitted(prices)
    last = float(prices[-1, 7])
    found = values_with(prices, 7, [100 * last, 1.01 * last], model)
    assert found.status[7] == OK
    assert found.fair[7] == pytest.approx(last, rel=0.05)


def test_a_set_that_moves_as_a_whole_is_followed() -> None:
    prices = calm()
    _, model = fitted(prices)
    planted = prices.copy()
    planted[-1] *= 2.5
    panel = panel_of(planted)
    assert (model.value(panel, panel.days - 1).status == OK).all()


def test_the_lowest_ask_confirms_at_once() -> None:
    prices = calm()
    planted, asks = prices.copy(), 0.95 * prices
    planted[-1, 7] *= 2.5
    _, model = fitted(prices)
    unsupported = panel_of(planted, low=asks)
    assert model.value(unsupported, unsupported.days - 1).status[7] == UNCONFIRMED_JUMP
    asks[-1, 7] *= 2.4
    supported = panel_of(planted, low=asks)
    assert model.value(supported, supported.days - 1).status[7] == OK


def test_the_status_is_one_of_the_contract() -> None:
    assert STATUSES[UNCONFIRMED_JUMP] == "unconfirmed_jump"


@pytest.mark.slow
def test_planted_errors_on_real_prices(shared_data: Path) -> None:
    """Errors in 1,000 real series move a fair price by at most its interval's half width."""
    panel = read_panel(shared_data / "tcgcsv_daily.parquet")
    model = create("local_level", HORIZON).fit(panel)
    day = panel.days - 1
    quoted = np.isfinite(panel.market[day]) & (panel.market[day] >= 1)
    cards = np.random.default_rng(17).permutation(np.flatnonzero(quoted))[:1000]
    prices = panel.market[day, cards]
    before = _values(panel, model, cards, np.full(len(cards), np.nan))
    for planted in (100 * prices, np.full(len(cards), 0.01), prices[::-1]):
        found = _values(panel, model, cards, planted)
        moved = np.abs(found.fair[cards] - before.fair[cards])
        half = (found.upper[cards] - found.lower[cards]) / 2
        far = np.abs(np.log(planted / prices)) > np.log(2.0)
        assert (moved <= half * (1 + 1e-9))[far].mean() >= 0.98


def _values(panel: Panel, model: Model, cards: NDArray[np.int64], planted: Prices) -> Values:
    """Return the values on the last day with other quotes for some cards."""
    day = panel.days - 1
    market, fresh = panel.market.copy(), panel.fresh.copy()
    market[day, cards] = planted
    fresh[day, cards] = np.isfinite(planted) & (planted != panel.market[day - 1, cards])
    return model.value(replace(panel, market=market, fresh=fresh), day)
