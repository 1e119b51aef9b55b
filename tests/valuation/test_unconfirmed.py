"""Fair prices of cards whose newest quote awaits confirmation, and what an error leaves behind."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pokewatch.decision import decide
from pokewatch.valuation.book import STATUSES
from pokewatch.valuation.features import DayFeatures, stream_features
from pokewatch.valuation.intervals import OK, UNCONFIRMED_JUMP
from pokewatch.valuation.models import create
from pokewatch.valuation.models.model import Model, Values
from pokewatch.valuation.panel import Bools, Panel, fresh_quotes
from pokewatch.valuation.panel_file import read_panel
from pokewatch.valuation.training_set import build_training_set
from pokewatch.valuation.unconfirmed import over_both_readings
from pokewatch.valuation.walk_forward import walk_forward
from tests.valuation.panels import panel_of
from tests.valuation.test_jumps import CARD, Prices, calm, with_quotes

HORIZON = 7


@pytest.fixture(scope="module")
def model() -> Model:
    return create("local_level", HORIZON).fit(panel_of(calm()))


def latest(panel: Panel, model: Model) -> Values:
    return model.value(panel, panel.days - 1)


def half_width(values: Values) -> Prices:
    return (values.upper - values.lower) / 2


@pytest.mark.parametrize("factor", [100.0, 0.01, 2.5, 0.4, 1 / 3000], ids=lambda f: f"x{f:.4g}")
def test_the_interval_contains_both_readings(model: Model, factor: float) -> None:
    before = latest(panel_of(calm()), model)
    found = latest(with_quotes(calm(), [factor]), model)
    assert found.status[CARD] == UNCONFIRMED_JUMP
    old, new = calm()[58, CARD], factor * calm()[58, CARD]
    assert found.lower[CARD] <= min(old, new) <= max(old, new) <= found.upper[CARD]
    assert abs(found.fair[CARD] - before.fair[CARD]) <= half_width(found)[CARD]
    others = np.arange(len(found.fair)) != CARD
    np.testing.assert_array_equal(found.status[others], before.status[others])


@pytest.mark.parametrize(
    ("factor", "days", "fair"),
    [(3.0, 1, (1 + 0.95) * 10), (3.0, 2, 30.0), (0.1, 1, 10.0), (0.1, 2, 1.0), (40.0, 2, 10.0)],
)
def test_a_jump_before_there_are_intervals_has_a_fair_price(
    factor: float, days: int, fair: float
) -> None:
    quotes = np.full((12, 2), 10.0)
    quotes[-days:, 0] *= factor
    for name in ("last", "median7"):
        found = latest(panel_of(quotes), create(name, HORIZON))
        assert np.isnan(found.lower).all()
        assert found.fair[1] == pytest.approx(10.0)
        if name == "last":
            assert found.fair[0] == pytest.approx(fair)
        assert min(10.0, 10.0 * factor) <= found.fair[0] * (1 + 1e-6)
        assert found.fair[0] <= max(10.0, 10.0 * factor) * (1 + 1e-6)


@pytest.mark.parametrize("factor", [100.0, 0.001])
def test_an_extreme_quote_leaves_the_fair_price_where_it_was(model: Model, factor: float) -> None:
    before = latest(panel_of(calm()), model)
    found = latest(with_quotes(calm(), [factor]), model)
    assert abs(found.fair[CARD] - before.fair[CARD]) <= half_width(before)[CARD]


def test_the_decision_on_an_unconfirmed_quote_is_hold(model: Model) -> None:
    found = latest(with_quotes(calm(), [1.95]), model)
    decided = decide(
        1.95 * calm()[58],
        found.fair,
        found.lower,
        found.upper,
        np.array(STATUSES)[found.status],
    )
    assert decided.signal[CARD] == "HOLD"
    assert decided.reason[CARD] == "unconfirmed_jump"


@pytest.mark.parametrize("factor", [2.5, 0.4, 100.0, 0.01])
def test_a_true_move_is_followed_within_three_fresh_quotes(model: Model, factor: float) -> None:
    prices = 100 * calm()
    found = latest(with_quotes(prices, [factor * (1 + 0.01 * at) for at in range(3)]), model)
    assert found.status[CARD] == OK
    assert found.fair[CARD] == pytest.approx(1.02 * factor * prices[56, CARD], rel=0.05)


def test_a_repeated_quote_is_followed_but_stays_unconfirmed(model: Model) -> None:
    found = latest(with_quotes(calm(), [4.0, 4.0]), model)
    assert found.status[CARD] == UNCONFIRMED_JUMP
    assert found.fair[CARD] == pytest.approx(4 * calm()[57, CARD], rel=0.05)
    extreme = latest(with_quotes(calm(), [100.0] * 9), model)
    assert extreme.fair[CARD] == pytest.approx(calm()[50, CARD], rel=0.05)


def test_a_repeated_quote_has_a_distribution_as_any_other(model: Model) -> None:
    first = latest(with_quotes(calm(), [4.0]), model)
    found = latest(with_quotes(calm(), [4.0, 4.0]), model)
    assert np.isnan(first.distribution.floor[CARD])
    assert found.status[CARD] == UNCONFIRMED_JUMP
    assert found.distribution.last_price[CARD] == pytest.approx(4 * calm()[57, CARD])
    low, median, high = np.exp(found.distribution.log_quantiles[CARD, [1, 3, 5]])
    assert median == pytest.approx(found.fair[CARD], rel=0.05)
    assert found.lower[CARD] < low < high <= found.upper[CARD] * 1.01
    extreme = latest(with_quotes(calm(), [100.0] * 9), model)
    assert np.isnan(extreme.distribution.floor[CARD])


def test_a_day_without_a_quote_is_no_repetition(model: Model) -> None:
    panel = with_quotes(calm(), [0.01, np.nan])
    found = latest(panel, model)
    assert found.fair[CARD] == pytest.approx(calm()[57, CARD], rel=0.05)


def test_over_both_readings() -> None:
    new = np.array([[4.0, 3.0, 5.0], [20.0, 18.0, 22.0], [0.4, 0.3, 0.6]]).T
    old = np.array([[2.0, 1.5, 2.5], [2.0, 1.5, 2.5], [1.0, 0.7, 1.3]]).T
    fair, lower, upper = over_both_readings(new, old, np.array([np.inf, 0.0, 1.0]))
    assert fair.tolist() == [4.0, 2.0, 0.5]
    assert lower.tolist() == [1.5, 1.5, 0.3]
    assert upper.tolist() == [5.0, 22.0, 1.3]


def _features(panel: Panel) -> DayFeatures:
    return next(stream_features(panel, [panel.days - 1]))


@pytest.mark.parametrize("factor", [100.0, 0.01, 2.5])
@pytest.mark.parametrize("errors", [1, 3])
def test_an_error_leaves_nothing_behind(factor: float, errors: int) -> None:
    prices = calm()
    with_error, without = prices.copy(), prices.copy()
    with_error[40 : 40 + errors, CARD] = factor * prices[39, CARD]
    without[40 : 40 + errors, CARD] = np.nan
    found, expected = _features(panel_of(with_error)), _features(panel_of(without))
    np.testing.assert_array_equal(found.last, expected.last)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.quoted_days, expected.quoted_days)
    assert np.isnan(found.before).all()


def test_a_return_to_the_very_price_before_is_no_new_quote() -> None:
    prices = calm()
    prices[40:, CARD] = prices[39, CARD]
    with_error = prices.copy()
    with_error[50, CARD] *= 100
    assert _features(panel_of(with_error)).column("age")[CARD] == 20


def test_streaming_features_changes_no_panel() -> None:
    panel = with_quotes(calm(), [100.0, 1.01])
    fresh = panel.fresh.copy()
    _features(panel)
    np.testing.assert_array_equal(panel.fresh, fresh)


def test_an_error_is_no_outcome_to_train_on() -> None:
    prices = calm()
    prices[40, CARD] *= 100
    panel = panel_of(prices)
    days = [30, 33, 36, 40]
    rows = build_training_set(panel, HORIZON, days)
    trained_on = set(rows.day[rows.card == CARD].tolist())
    assert trained_on == {30, 36}  # 33 has its outcome, 40 its quote on the day of the error
    assert len(rows) == len(days) * panel.cards - 2
    unknown = build_training_set(panel, HORIZON, [33], until=40)
    assert len(unknown) == panel.cards  # on the day itself, nothing tells it from a true move


def test_later_days_change_no_value() -> None:
    prices = calm()
    for day, factor in ((25, 100.0), (33, 0.01), (38, 2.5)):
        prices[day, CARD] *= factor
    panel = panel_of(prices)
    days = range(20, 60)
    whole = {found.day: values for found, values in walk_forward(panel, "local_level", 7, days)}
    for end in (25, 26, 33, 34, 39):
        part = panel.up_to(end)
        for found, values in walk_forward(part, "local_level", 7, range(20, end + 1)):
            np.testing.assert_array_equal(values.fair, whole[found.day].fair)
            np.testing.assert_array_equal(values.status, whole[found.day].status)


Plant = Callable[[Prices, Prices], Prices]
ERRORS: dict[str, Plant] = {
    "x100": lambda price, earlier: 100 * price,
    "x0.01": lambda price, earlier: np.round(price / 100, 2),
    "penny": lambda price, earlier: np.full(len(price), 0.01),
    "zero": lambda price, earlier: np.zeros(len(price)),
    "repeated": lambda price, earlier: earlier,
}


@pytest.fixture(scope="module")
def tcgplayer(shared_data: Path) -> tuple[Panel, Model]:
    panel = read_panel(shared_data / "tcgcsv_daily.parquet")
    return panel, create("local_level", HORIZON).fit(panel)


def _quoted(panel: Panel, cards: NDArray[np.bool_], count: int = 1000) -> NDArray[np.int64]:
    """Return `count` of the cards quoted at $1 or more on each of the last four days."""
    quoted = cards & (np.asarray(panel.market)[-4:] >= 1).all(axis=0)
    return np.random.default_rng(17).permutation(np.flatnonzero(quoted))[:count]


def _planted(panel: Panel, cards: NDArray[np.int64], prices: Prices) -> Panel:
    """Return the panel with other prices [k, cards] on the last k days; 0 is no quote."""
    market = np.array(panel.market)
    market[len(market) - len(prices) :, cards] = np.where(prices > 0, prices, np.nan)
    return replace(panel, market=market, fresh=fresh_quotes(market))


def _moved(
    tcgplayer: tuple[Panel, Model], cards: NDArray[np.int64], wrong: Prices
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return whether quotes `wrong` on the last day move fair prices by more than half an interval.

    They are compared with those without a quote on that day, and the first result is for the
    interval with the wrong quote, the second for the one without it.
    """
    panel, model = tcgplayer
    without = latest(_planted(panel, cards, np.zeros((1, len(cards)))), model)
    after = latest(_planted(panel, cards, wrong[None]), model)
    moved = np.abs(after.fair - without.fair)[cards]
    ok = without.status[cards] == OK
    return moved > half_width(after)[cards], ok & (moved > half_width(without)[cards])


def _moved_by(fitted: tuple[Panel, Model], name: str) -> tuple[NDArray[np.int64], Bools, Bools]:
    """Return the quoted cards, and what `_moved` says of an error in the last quote of each."""
    panel, _ = fitted
    cards = _quoted(panel, np.ones(panel.cards, dtype=np.bool_))
    wrong = ERRORS[name](panel.market[-1, cards], panel.market[-2, cards])
    return cards, *_moved(fitted, cards, wrong)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ERRORS)
def test_errors_in_real_series_move_no_fair_price(
    tcgplayer: tuple[Panel, Model], name: str
) -> None:
    panel, _ = tcgplayer
    cards, beyond_own, beyond_narrow = _moved_by(tcgplayer, name)
    assert len(cards) == 1000
    assert panel.card_id[cards[beyond_own]].tolist() == []
    assert beyond_narrow.mean() <= (0.02 if name in ("x0.01", "penny") else 0)


def _pairs_of_printings(panel: Panel) -> NDArray[np.int64]:
    """Return the cards of products with two printings, side by side, if both are quoted."""
    product = np.array([card.split("-")[1] for card in panel.card_id.tolist()])
    code, count = np.unique(product, return_inverse=True, return_counts=True)[1:]
    cards = _quoted(panel, count[code] == 2, panel.cards)
    cards = cards[np.isin(code[cards], np.flatnonzero(np.bincount(code[cards]) == 2))]
    return cards[np.argsort(code[cards], kind="stable")]


def _others(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values with those of the two printings of each product exchanged."""
    return values.reshape(-1, 2)[:, ::-1].ravel()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_exchanged_printings_in_real_series_move_no_fair_price(
    tcgplayer: tuple[Panel, Model],
) -> None:
    panel, _ = tcgplayer
    cards = _pairs_of_printings(panel)
    right = panel.market[-1, cards]
    swapped = _others(right)
    wrong = np.abs(np.log(swapped / right)) > np.log(1.02)
    cards, swapped = cards[wrong], swapped[wrong]
    beyond_own, beyond_narrow = _moved(tcgplayer, cards, swapped)
    assert len(cards) > 3000
    assert panel.card_id[cards[beyond_own]].tolist() == []
    assert panel.card_id[cards[beyond_narrow]].tolist() == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_true_exchanges_in_real_series_are_followed_within_three_fresh_quotes(
    tcgplayer: tuple[Panel, Model],
) -> None:
    panel, model = tcgplayer
    cards = _pairs_of_printings(panel)
    level = np.array([1.0, 1.02, 1.01])[:, None] * panel.market[-4, _others(cards)]
    after = latest(_planted(panel, cards, level), model)
    assert (after.status[cards] != UNCONFIRMED_JUMP).all()
    assert (np.abs(np.log(after.fair[cards] / level[-1])) < 0.3).all()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("factor", [100.0, 3.0, 0.3])
def test_true_moves_in_real_series_are_followed_within_three_fresh_quotes(
    tcgplayer: tuple[Panel, Model], factor: float
) -> None:
    panel, model = tcgplayer
    cards = _quoted(panel, np.ones(panel.cards, dtype=np.bool_))
    level = factor * np.array([1.0, 1.02, 1.01])[:, None] * panel.market[-4, cards]
    after = latest(_planted(panel, cards, level), model)
    assert (after.status[cards] != UNCONFIRMED_JUMP).all()
    assert (np.abs(np.log(after.fair[cards] / level[-1])) < 0.3).all()


@pytest.fixture(scope="module")
def cardmarket(shared_data: Path) -> tuple[Panel, Model]:
    """The panel up to the last day on which most cards were quoted for four days in a row."""
    whole = read_panel(shared_data / "cardmarket_daily.parquet")
    above_one = np.asarray(whole.market) >= 1
    quoted = np.lib.stride_tricks.sliding_window_view(above_one, 4, axis=0).all(axis=-1)
    count = quoted.sum(axis=1)
    panel = whole.up_to(int(np.flatnonzero(count >= 0.9 * count.max())[-1]) + 3)
    return panel, create("local_level", HORIZON).fit(panel)


@pytest.mark.parametrize("name", ["rolling_mean", "median7"])
@pytest.mark.parametrize("factor", [1.95, 0.5])
def test_the_interval_of_an_average_contains_the_new_quote(name: str, factor: float) -> None:
    found = latest(with_quotes(calm(), [factor]), create(name, HORIZON).fit(panel_of(calm())))
    assert found.status[CARD] == UNCONFIRMED_JUMP
    assert found.lower[CARD] < min(1, factor) * calm()[58, CARD]
    assert found.upper[CARD] > max(1, factor) * calm()[58, CARD]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ERRORS)
def test_errors_in_series_of_cardmarket_move_no_fair_price(
    cardmarket: tuple[Panel, Model], name: str
) -> None:
    panel, _ = cardmarket
    cards, beyond_own, _ = _moved_by(cardmarket, name)
    assert len(cards) > 100
    assert panel.card_id[cards[beyond_own]].tolist() == []


@pytest.mark.parametrize("name", ["last", "median7", "local_level"])
def test_a_price_that_doubled_in_a_day_in_a_file_is_no_bargain(
    shared_data: Path, name: str
) -> None:
    case = shared_data.parent / "cases" / "20-one-day-jump" / "doubled.csv"
    if not case.is_file():
        pytest.skip(f"no file of a price that doubled at {case}")
    panel = read_panel(case)
    found = latest(panel, create(name, HORIZON).fit(panel))
    market = panel.market[-1]
    status = np.array(STATUSES)[found.status]
    decided = decide(
        market, found.fair, found.lower, found.upper, status, distribution=found.distribution
    )
    for card, before in (("card-03", 208.53), ("card-06", 137.96)):
        row = panel.card_id.tolist().index(card)
        assert (status[row], decided.signal[row]) == ("unconfirmed_jump", "HOLD")
        assert 0 < decided.confidence[row] < 0.9
        assert found.lower[row] < min(before, market[row])
        assert found.upper[row] > max(before, market[row])
